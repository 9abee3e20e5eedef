import type { BackoffPolicy } from '../core/backoff';
import { afterRound, NO_FAILURES, probeCount, type RenewalBackoff } from '../core/renewal-backoff';
import type { RequestOutcome } from '../core/retry-policy';
import { withNonce } from '../core/verdict';
import type { KeyRing } from '../keys/key-ring';
import type { ClientClock } from '../time/clock';
import type { ClientCall, TransportResult } from '../transport/call';
import type { RetryingRequester } from '../transport/retrying-requester';
import type { TransportSelector } from '../transport/transport-selector';
import { responseVerdict } from '../transport/verdict';
import { callResultOf, type ManagedLease } from './managed-lease';
import { type GrantVerdict, proveGrant } from './proven-grant';

export interface RenewalsOptions {
  readonly requester: RetryingRequester;
  readonly selector: Pick<TransportSelector, 'holds' | 'renewAll'>;
  readonly keys: Pick<KeyRing, 'verify'>;
  readonly clock: ClientClock;
  /** A new value for each renewal over a session. */
  readonly newNonce: () => string;
  readonly random: () => number;
  readonly backoff: BackoffPolicy;
  readonly requestTimeoutMs: number;
  /** All leases that the client renews. */
  readonly leases: () => Iterable<ManagedLease>;
  readonly signal: AbortSignal;
  readonly onDistrusted: (lease: ManagedLease, address: string) => void;
  /** A round ended, with or without a response. */
  readonly onRound: (answered: boolean) => void;
}

interface Unanswered {
  readonly lease: ManagedLease;
  readonly reason: string;
}

/** Leases that become due within this time are renewed together. */
const BATCH_WINDOW_MS = 5;
/** Concurrent requests of one round. */
const CONCURRENCY_MAX = 16;
/** Used until a server sends an interval. */
const HEARTBEAT_MS_DEFAULT = 30_000;

/** Renews due leases, in rounds. Never rejects. */
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
    else unanswered.push(...others.map((lease) => ({ lease, reason: unanswered[0]?.reason ?? 'no response' })));
    for (const { lease, reason } of unanswered) {
      lease.applyResult({ kind: 'unanswered', reason, retryInMs: end.retryInMs * (1 + random()) });
    }
  }

  /** Renews all leases of the session with one message. @returns the leases that need a request of their own */
  async #renewOverSession(due: readonly ManagedLease[]): Promise<readonly ManagedLease[]> {
    const { selector, clock, requestTimeoutMs, signal, leases } = this.#options;
    const isHeld = (lease: ManagedLease): boolean => lease.renewsByHeartbeat && selector.holds(lease.id);
    if (!due.some(isHeld)) return due;
    const asking = [...leases()].filter(isHeld);
    const terms = { timeoutMs: requestTimeoutMs, stop: signal, background: true };
    const calls = asking.map((lease): ClientCall => {
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
    const nonce = this.#options.newNonce();
    const answers = await selector.renewAll(calls, { ...terms, nonce });
    const settled = new Set<ManagedLease>();
    await Promise.all(
      calls.map(async ({ leaseId = '' }, index) => {
        const lease = asking[index] as ManagedLease;
        const outcome = decidedOutcome(answers.get(leaseId), { clock, nonce });
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

  /** Stops sending after the first request without a response. @returns the leases without a response */
  async #sendEach(leases: readonly ManagedLease[]): Promise<Unanswered[]> {
    const unanswered: Unanswered[] = [];
    const waiting = [...leases];
    const sendNext = async (): Promise<void> => {
      for (let lease = waiting.shift(); lease; lease = waiting.shift()) {
        const known = unanswered[0]?.reason;
        const reason = known ?? (await this.#sendOne(lease));
        if (reason !== undefined) unanswered.push({ lease, reason });
      }
    };
    await Promise.all(Array.from({ length: Math.min(CONCURRENCY_MAX, waiting.length) }, sendNext));
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
    if (outcome.kind === 'given_up') return outcome.reason;
    await this.#applyOutcome(lease, outcome, call.leaseId ?? lease.id);
    return undefined;
  }

  async #applyOutcome(lease: ManagedLease, outcome: RequestOutcome, askedId: string): Promise<void> {
    const { keys, random } = this.#options;
    let verdict: GrantVerdict | undefined;
    if (outcome.kind === 'done' && outcome.grant) {
      verdict = await proveGrant(keys, outcome.grant, { askedId, definition: lease.definition });
    }
    const retryInMs = (lease.heartbeatInMs || HEARTBEAT_MS_DEFAULT) * (1 + random());
    lease.applyResult(callResultOf(outcome, verdict, retryInMs));
  }
}

/** Undefined when the response decides nothing. The lease then sends a separate request. */
function decidedOutcome(
  answer: TransportResult | undefined,
  { clock, nonce }: { readonly clock: ClientClock; readonly nonce: string },
): RequestOutcome | undefined {
  if (!answer) return undefined;
  const verdict = responseVerdict(answer, clock.wallMs());
  switch (verdict.kind) {
    case 'not_granting':
    case 'busy':
    case 'unavailable':
      return undefined;
    default:
      return withNonce(verdict, nonce);
  }
}
