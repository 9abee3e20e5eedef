import type { BackoffPolicy } from '../core/backoff';
import { afterRound, NO_FAILURES, probeCount, type RenewalBackoff } from '../core/renewal-backoff';
import type { RequestOutcome } from '../core/retry-policy';
import type { KeyRing, LeaseTokenVerdict } from '../keys/key-ring';
import type { ClientClock } from '../time/clock';
import type { Call, TransportResult } from '../transport/call';
import type { RetryingRequester } from '../transport/retrying-requester';
import type { TransportSelector } from '../transport/transport-selector';
import { responseVerdict } from '../transport/verdict';
import { callResultOf, type ManagedLease } from './managed-lease';

export interface RenewalsOptions {
  readonly requester: RetryingRequester;
  readonly selector: Pick<TransportSelector, 'holds' | 'renewAll'>;
  readonly keys: Pick<KeyRing, 'verify'>;
  readonly clock: ClientClock;
  readonly random: () => number;
  readonly backoff: BackoffPolicy;
  readonly requestTimeoutMs: number;
  /** All leases that are kept now. */
  readonly leases: () => Iterable<ManagedLease>;
  readonly signal: AbortSignal;
  readonly onDistrusted: (lease: ManagedLease, address: string) => void;
  /** A server answered, or nobody did. */
  readonly onRound: (answered: boolean) => void;
}

interface Unanswered {
  readonly lease: ManagedLease;
  readonly because: string;
}

/** What becomes due within this time is asked together. */
const BATCH_WINDOW_MS = 5;
/** How many questions of their own are under way at a time. */
const CONCURRENCY_MAX = 16;
/** When the server never said how often. */
const HEARTBEAT_MS_DEFAULT = 30_000;

/** Asks for the renewal of what is due, in rounds. Nothing here rejects. */
export class Renewals {
  readonly #options: RenewalsOptions;
  #due = new Set<ManagedLease>();
  #rounds: RenewalBackoff = NO_FAILURES;
  #running = false;

  constructor(options: RenewalsOptions) {
    this.#options = options;
  }

  enqueue(lease: ManagedLease): void {
    this.#due.add(lease);
    if (this.#running) return;
    this.#running = true;
    this.#options.clock.after(BATCH_WINDOW_MS, () => void this.#run(), { background: true });
  }

  async #run(): Promise<void> {
    while (this.#due.size > 0 && !this.#options.signal.aborted) {
      const due = [...this.#due].filter((lease) => lease.nextCall !== undefined);
      this.#due = new Set();
      await this.#round(due);
    }
    this.#running = false;
  }

  async #round(due: readonly ManagedLease[]): Promise<void> {
    const left = await this.#renewOverSession(due);
    const first = left.slice(0, probeCount(this.#rounds, left.length));
    const others = left.slice(first.length);
    if (first.length === 0) return;
    const unanswered = await this.#sendEach(first);
    const answered = unanswered.length < first.length;
    this.#options.onRound(answered);
    const { backoff, random } = this.#options;
    const end = afterRound(this.#rounds, { answered, random: random() }, backoff);
    this.#rounds = end.rounds;
    if (answered) unanswered.push(...(await this.#sendEach(others)));
    else unanswered.push(...others.map((lease) => ({ lease, because: unanswered[0]?.because ?? 'nobody answered' })));
    for (const { lease, because } of unanswered) {
      lease.applyResult({ kind: 'unanswered', because, retryInMs: end.retryInMs * (1 + random()) });
    }
  }

  /** One message renews all that the session holds. @returns who has to ask alone. */
  async #renewOverSession(due: readonly ManagedLease[]): Promise<readonly ManagedLease[]> {
    const { selector, clock, requestTimeoutMs, signal, leases } = this.#options;
    const isHeld = (lease: ManagedLease): boolean => lease.renewsByHeartbeat && selector.holds(lease.id);
    if (!due.some(isHeld)) return due;
    const asking = [...leases()].filter(isHeld);
    const terms = { timeoutMs: requestTimeoutMs, stop: signal, background: true };
    const calls = asking.map((lease): Call => {
      const { id: leaseId, product, feature, seats } = lease;
      return {
        kind: 'heartbeat',
        method: 'POST',
        path: `/v1/leases/${leaseId}/heartbeat`,
        leaseId,
        product,
        feature,
        seats,
      };
    });
    const answers = await selector.renewAll(calls, terms);
    const settled = new Set<ManagedLease>();
    await Promise.all(
      calls.map(async ({ leaseId = '' }, index) => {
        const lease = asking[index] as ManagedLease;
        const outcome = decidedOutcome(answers.get(leaseId), clock);
        if (!outcome) return;
        settled.add(lease);
        await this.#applyOutcome(lease, outcome, leaseId);
      }),
    );
    if (settled.size > 0) {
      this.#rounds = NO_FAILURES;
      this.#options.onRound(true);
    }
    return due.filter((lease) => !settled.has(lease) && lease.nextCall !== undefined);
  }

  /** Asks no more once nobody answers. @returns who got no answer. */
  async #sendEach(leases: readonly ManagedLease[]): Promise<Unanswered[]> {
    const unanswered: Unanswered[] = [];
    const waiting = [...leases];
    const askOn = async (): Promise<void> => {
      for (let lease = waiting.shift(); lease; lease = waiting.shift()) {
        const known = unanswered[0]?.because;
        const because = known ?? (await this.#sendOne(lease));
        if (because !== undefined) unanswered.push({ lease, because });
      }
    };
    await Promise.all(Array.from({ length: Math.min(CONCURRENCY_MAX, waiting.length) }, askOn));
    return unanswered;
  }

  async #sendOne(lease: ManagedLease): Promise<string | undefined> {
    const { requester, requestTimeoutMs, signal, onDistrusted } = this.#options;
    const call = lease.nextCall;
    if (!call) return undefined;
    const outcome = await requester.request(call, {
      deadlineMs: requestTimeoutMs,
      signal,
      background: true,
      onDistrusted: (address) => onDistrusted(lease, address),
    });
    if (outcome.kind === 'given_up') return outcome.because;
    await this.#applyOutcome(lease, outcome, call.leaseId ?? lease.id);
    return undefined;
  }

  async #applyOutcome(lease: ManagedLease, outcome: RequestOutcome, askedId: string): Promise<void> {
    const { keys, random } = this.#options;
    let proof: LeaseTokenVerdict | undefined;
    if (outcome.kind === 'done' && outcome.grant) {
      const { product, feature, seats } = lease;
      const leaseId = outcome.grant.leaseId ?? askedId;
      proof = await keys.verify(outcome.grant.token, { leaseId, product, feature, seats });
    }
    const retryInMs = (lease.heartbeatInMs || HEARTBEAT_MS_DEFAULT) * (1 + random());
    lease.applyResult(callResultOf(outcome, proof, retryInMs));
  }
}

/** Undefined when the answer decides nothing: then the lease asks for itself. */
function decidedOutcome(answer: TransportResult | undefined, clock: ClientClock): RequestOutcome | undefined {
  if (!answer) return undefined;
  const verdict = responseVerdict(answer, clock.wallMs());
  switch (verdict.kind) {
    case 'not_granting':
    case 'busy':
    case 'unavailable':
      return undefined;
    default:
      return verdict;
  }
}
