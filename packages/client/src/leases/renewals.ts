import type { BackoffPolicy } from '../core/backoff';
import { afterRound, firstToAsk, NO_ROUND, type Rounds } from '../core/renewal-backoff';
import type { Delivery } from '../core/retry-policy';
import type { KeyRing, TokenVerdict } from '../keys/key-ring';
import type { ClientClock } from '../time/clock';
import type { Answer, Call } from '../transport/call';
import type { Courier } from '../transport/retrying-requester';
import type { Switchboard } from '../transport/transport-selector';
import { verdictOn } from '../transport/verdict';
import { type LeaseKeeper, learnedFrom } from './managed-lease';

export interface RenewalsOptions {
  readonly courier: Courier;
  readonly switchboard: Pick<Switchboard, 'holds' | 'renewAll'>;
  readonly keys: Pick<KeyRing, 'verify'>;
  readonly clock: ClientClock;
  readonly random: () => number;
  readonly backoff: BackoffPolicy;
  readonly requestTimeoutMs: number;
  /** All leases that are kept now. */
  readonly keepers: () => Iterable<LeaseKeeper>;
  readonly signal: AbortSignal;
  readonly onDistrusted: (keeper: LeaseKeeper, address: string) => void;
  /** A server answered, or nobody did. */
  readonly onRound: (answered: boolean) => void;
}

interface Unanswered {
  readonly keeper: LeaseKeeper;
  readonly because: string;
}

/** What becomes due within this time is asked together. */
const GATHERED_MS = 5;
/** How many questions of their own are under way at a time. */
const TOGETHER_MAX = 16;
/** When the server never said how often. */
const INTERVAL_MS_DEFAULT = 30_000;

/** Asks for the renewal of what is due, in rounds. Nothing here rejects. */
export class Renewals {
  readonly #options: RenewalsOptions;
  #due = new Set<LeaseKeeper>();
  #rounds: Rounds = NO_ROUND;
  #running = false;

  constructor(options: RenewalsOptions) {
    this.#options = options;
  }

  want(keeper: LeaseKeeper): void {
    this.#due.add(keeper);
    if (this.#running) return;
    this.#running = true;
    this.#options.clock.after(GATHERED_MS, () => void this.#run(), { background: true });
  }

  async #run(): Promise<void> {
    while (this.#due.size > 0 && !this.#options.signal.aborted) {
      const due = [...this.#due].filter((keeper) => keeper.question !== undefined);
      this.#due = new Set();
      await this.#round(due);
    }
    this.#running = false;
  }

  async #round(due: readonly LeaseKeeper[]): Promise<void> {
    const left = await this.#askForSession(due);
    const first = left.slice(0, firstToAsk(this.#rounds, left.length));
    const others = left.slice(first.length);
    if (first.length === 0) return;
    const unanswered = await this.#askEach(first);
    const answered = unanswered.length < first.length;
    this.#options.onRound(answered);
    const { backoff, random } = this.#options;
    const end = afterRound(this.#rounds, { answered, random: random() }, backoff);
    this.#rounds = end.rounds;
    if (answered) unanswered.push(...(await this.#askEach(others)));
    else unanswered.push(...others.map((keeper) => ({ keeper, because: unanswered[0]?.because ?? 'nobody answered' })));
    for (const { keeper, because } of unanswered) {
      keeper.learn({ kind: 'unanswered', because, againInMs: end.againInMs * (1 + random()) });
    }
  }

  /** One message renews all that the session holds. @returns who has to ask alone. */
  async #askForSession(due: readonly LeaseKeeper[]): Promise<readonly LeaseKeeper[]> {
    const { switchboard, clock, requestTimeoutMs, signal, keepers } = this.#options;
    const isHeld = (keeper: LeaseKeeper): boolean => keeper.asksForRenewal && switchboard.holds(keeper.id);
    if (!due.some(isHeld)) return due;
    const asking = [...keepers()].filter(isHeld);
    const terms = { timeoutMs: requestTimeoutMs, stop: signal, background: true };
    const calls = asking.map((keeper): Call => {
      const { id: leaseId, product, feature, seats } = keeper;
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
    const answers = await switchboard.renewAll(calls, terms);
    const settled = new Set<LeaseKeeper>();
    await Promise.all(
      calls.map(async ({ leaseId = '' }, index) => {
        const keeper = asking[index] as LeaseKeeper;
        const delivery = deliveredBy(answers.get(leaseId), clock);
        if (!delivery) return;
        settled.add(keeper);
        await this.#teach(keeper, delivery, leaseId);
      }),
    );
    if (settled.size > 0) {
      this.#rounds = NO_ROUND;
      this.#options.onRound(true);
    }
    return due.filter((keeper) => !settled.has(keeper) && keeper.question !== undefined);
  }

  /** Asks no more once nobody answers. @returns who got no answer. */
  async #askEach(keepers: readonly LeaseKeeper[]): Promise<Unanswered[]> {
    const unanswered: Unanswered[] = [];
    const waiting = [...keepers];
    const askOn = async (): Promise<void> => {
      for (let keeper = waiting.shift(); keeper; keeper = waiting.shift()) {
        const known = unanswered[0]?.because;
        const because = known ?? (await this.#askOne(keeper));
        if (because !== undefined) unanswered.push({ keeper, because });
      }
    };
    await Promise.all(Array.from({ length: Math.min(TOGETHER_MAX, waiting.length) }, askOn));
    return unanswered;
  }

  async #askOne(keeper: LeaseKeeper): Promise<string | undefined> {
    const { courier, requestTimeoutMs, signal, onDistrusted } = this.#options;
    const call = keeper.question;
    if (!call) return undefined;
    const delivery = await courier.deliver(call, {
      deadlineMs: requestTimeoutMs,
      signal,
      background: true,
      onDistrusted: (address) => onDistrusted(keeper, address),
    });
    if (delivery.kind === 'given-up') return delivery.because;
    await this.#teach(keeper, delivery, call.leaseId ?? keeper.id);
    return undefined;
  }

  async #teach(keeper: LeaseKeeper, delivery: Delivery, askedId: string): Promise<void> {
    const { keys, random } = this.#options;
    let proof: TokenVerdict | undefined;
    if (delivery.kind === 'done' && delivery.grant) {
      const { product, feature, seats } = keeper;
      const leaseId = delivery.grant.leaseId ?? askedId;
      proof = await keys.verify(delivery.grant.token, { leaseId, product, feature, seats });
    }
    const againInMs = (keeper.heartbeatInMs || INTERVAL_MS_DEFAULT) * (1 + random());
    keeper.learn(learnedFrom(delivery, proof, againInMs));
  }
}

/** Undefined when the answer decides nothing: then the lease asks for itself. */
function deliveredBy(answer: Answer | undefined, clock: ClientClock): Delivery | undefined {
  if (!answer) return undefined;
  const verdict = verdictOn(answer, clock.wallMs());
  switch (verdict.kind) {
    case 'not_granting':
    case 'busy':
    case 'unavailable':
      return undefined;
    default:
      return verdict;
  }
}
