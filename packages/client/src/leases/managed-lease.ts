import type { SeatSpec } from '../core/lease-identity';
import {
  isFinished,
  type LeaseInput,
  type LeaseMachineState,
  type StepContext,
  step,
  wakeAtMs,
} from '../core/lease-state';
import type { RequestOutcome } from '../core/retry-policy';
import type { Grant } from '../core/verdict';
import type { LeaseEventBody } from '../events';
import type { LeaseTokenVerdict } from '../keys/key-ring';
import type { Lease, LeaseState, ReleaseOutcome } from '../lease';
import type { StoredLease } from '../state/schema';
import type { Cancel, ClientClock } from '../time/clock';
import type { Call } from '../transport/call';

/** What a lease is of, for as long as it is kept. */
export interface LeaseDefinition extends SeatSpec {
  readonly holder: string;
  /** The name under which the installation gets it back, and its number among the leases of the same seats. */
  readonly identity: string | undefined;
  readonly number: number;
}

/** What is known of the lease itself; replaced with every grant. */
export interface LeaseFacts {
  readonly id: string;
  readonly licenseId: string | undefined;
  readonly token: string;
  readonly epoch: number;
  readonly servedBy: string;
  readonly overdraft: boolean;
}

export interface ManagedLeaseOptions {
  readonly definition: LeaseDefinition;
  readonly facts: LeaseFacts;
  readonly machine: LeaseMachineState;
  readonly clock: ClientClock;
  readonly random: () => number;
  readonly newLeaseId: () => string;
  readonly onLeaseEvent: (lease: ManagedLease, event: LeaseEventBody) => void;
  /** It has something to ask. */
  readonly onCallDue: (lease: ManagedLease) => void;
  /** What would have to be kept has changed, or it is over. */
  readonly onChange: (lease: ManagedLease) => void;
  readonly release: (lease: ManagedLease) => Promise<RequestOutcome>;
}

/** What a question about the lease led to, with the token of a grant already verified. */
export type CallResult =
  | { readonly kind: 'granted'; readonly grant: Grant }
  | { readonly kind: 'unproven'; readonly detail: string; readonly retryInMs: number }
  | Exclude<LeaseInput, { kind: 'granted' | 'time' | 'released' | 'disconnected' }>;

/** Carries one lease through its machine: gives it the time, tells the host, and says when something is to be asked. */
export class ManagedLease implements Lease {
  readonly definition: LeaseDefinition;
  /** Nobody has asked for it since the installation was started again. */
  unclaimed = false;
  readonly #options: ManagedLeaseOptions;
  #facts: LeaseFacts;
  #machine: LeaseMachineState;
  /** Under which the seats are asked for anew; kept until that is decided, so that they are never taken twice. */
  #reacquireId: string | undefined;
  #asking: 'heartbeat' | 'checkout' | undefined;
  #timer: Cancel = () => undefined;
  #release: Promise<ReleaseOutcome> | undefined;

  constructor(options: ManagedLeaseOptions) {
    this.#options = options;
    this.definition = options.definition;
    this.#facts = options.facts;
    this.#machine = options.machine;
    this.#wake();
  }

  get id(): string {
    return this.#facts.id;
  }

  get product(): string {
    return this.definition.product;
  }

  get feature(): string {
    return this.definition.feature;
  }

  get seats(): number {
    return this.definition.seats;
  }

  get licenseId(): string | undefined {
    return this.#facts.licenseId;
  }

  get state(): LeaseState {
    return this.#machine.state;
  }

  get token(): string {
    return this.#facts.token;
  }

  get epoch(): number {
    return this.#facts.epoch;
  }

  get servedBy(): string {
    return this.#facts.servedBy;
  }

  get borrowed(): boolean {
    return this.#machine.borrowed;
  }

  get overdraft(): boolean {
    return this.#facts.overdraft;
  }

  get expiresInMs(): number {
    return Math.max(0, this.#machine.expiresAtMs - this.#options.clock.nowMs());
  }

  get isFinished(): boolean {
    return isFinished(this.#machine);
  }

  /** What is to be asked now; undefined when that has been settled meanwhile. */
  get nextCall(): Call | undefined {
    if (this.isFinished || !this.#asking) return undefined;
    if (this.#asking === 'heartbeat')
      return this.#call('heartbeat', 'POST', '/heartbeat', this.id, { token: this.token });
    this.#reacquireId ??= this.#options.newLeaseId();
    const { product, feature, seats, holder, identity, licenseId } = this.definition;
    const body = {
      product,
      feature,
      seats,
      holder,
      ...(identity ? { identity } : {}),
      ...(licenseId ? { licenseId } : {}),
    };
    return this.#call('checkout', 'PUT', '', this.#reacquireId, body);
  }

  /** Each call shows the newest token: to a server that never heard of the lease it is the proof of it (S3). */
  get releaseCall(): Call {
    return this.#call('release', 'DELETE', '', this.id, { token: this.token });
  }

  /** For as long as it is asked for anew, a heartbeat of the whole session says nothing about it. */
  get renewsByHeartbeat(): boolean {
    return !this.isFinished && this.#machine.asks === 'heartbeat' && !this.borrowed;
  }

  get heartbeatInMs(): number {
    return this.#machine.heartbeatInMs;
  }

  toStored(): StoredLease {
    const { product, feature, seats, holder, identity } = this.definition;
    const { id: leaseId, licenseId, token, borrowed, epoch, servedBy } = this;
    return { leaseId, licenseId, product, feature, seats, holder, identity, borrowed, epoch, servedBy, token };
  }

  applyResult(result: CallResult): void {
    if (this.isFinished) return;
    this.#asking = undefined;
    switch (result.kind) {
      case 'granted':
        this.#take(result.grant);
        this.#advance(result);
        break;
      case 'unproven': {
        const { detail, retryInMs } = result;
        this.#options.onLeaseEvent(this, { kind: 'unproven', detail });
        this.#advance({ kind: 'unanswered', because: 'unproven', retryInMs });
        break;
      }
      default:
        this.#advance(result);
    }
  }

  /** The connection that it was held over is gone. */
  disconnected(when: { readonly notBeforeMs: number; readonly withinMs: number }): void {
    this.#advance({ kind: 'disconnected', ...when });
  }

  release(): Promise<ReleaseOutcome> {
    this.#release ??= this.#undo();
    return this.#release;
  }

  /** Stops without a word to any server, as a host that dies does. */
  abandon(): void {
    this.#timer();
  }

  async #undo(): Promise<ReleaseOutcome> {
    if (this.state === 'lost') return { kind: 'already-gone' };
    const told = step(this.#machine, { kind: 'released' }, this.#moment());
    this.#machine = told.lease;
    this.#timer();
    this.#options.onChange(this);
    const outcome = await this.#options.release(this);
    for (const event of told.told) this.#options.onLeaseEvent(this, event);
    return releaseOutcome(outcome);
  }

  #take(grant: Grant): void {
    const { token, epoch, servedBy, overdraft } = grant;
    const id = grant.leaseId ?? this.#reacquireId ?? this.id;
    this.#facts = { id, licenseId: grant.licenseId ?? this.licenseId, token, epoch, servedBy, overdraft };
    this.#reacquireId = undefined;
  }

  #advance(input: LeaseInput): void {
    const before = this.#machine;
    const { lease, told, ask } = step(before, input, this.#moment());
    this.#machine = lease;
    if (ask) this.#asking = ask;
    this.#wake();
    if (input.kind === 'granted' || (isFinished(lease) && !isFinished(before))) this.#options.onChange(this);
    for (const event of told) this.#options.onLeaseEvent(this, event);
    if (ask && !this.isFinished) this.#options.onCallDue(this);
  }

  #wake(): void {
    this.#timer();
    const { clock } = this.#options;
    const atMs = wakeAtMs(this.#machine, clock.nowMs());
    if (atMs === undefined) return;
    this.#timer = clock.after(atMs - clock.nowMs(), () => this.#advance({ kind: 'time' }), { background: true });
  }

  #moment(): StepContext {
    return { nowMs: this.#options.clock.nowMs(), random: this.#options.random() };
  }

  #call(
    kind: Call['kind'],
    method: Call['method'],
    suffix: string,
    leaseId: string,
    body: Readonly<Record<string, unknown>>,
  ): Call {
    const { product, feature, seats } = this;
    return { kind, method, path: `/v1/leases/${leaseId}${suffix}`, body, leaseId, product, feature, seats };
  }
}

function releaseOutcome(outcome: RequestOutcome): ReleaseOutcome {
  switch (outcome.kind) {
    case 'done':
      return { kind: 'released' };
    case 'ended':
      return { kind: 'already-gone' };
    case 'refused':
      return { kind: 'not-told', because: outcome.code };
    case 'queued':
    case 'no_seat_available':
      return { kind: 'not-told', because: outcome.kind };
    case 'given_up':
      return { kind: 'not-told', because: outcome.because };
  }
}

/** How a verified token reads to a lease. */
export function callResultOf(
  outcome: RequestOutcome,
  proof: LeaseTokenVerdict | undefined,
  retryInMs: number,
): CallResult {
  switch (outcome.kind) {
    case 'done': {
      if (!outcome.grant) return { kind: 'unanswered', because: 'an empty answer', retryInMs };
      if (proof?.kind === 'refused') return { kind: 'unproven', detail: proof.detail, retryInMs };
      return { kind: 'granted', grant: outcome.grant };
    }
    case 'ended':
      return outcome;
    case 'no_seat_available':
      return { kind: 'ended', code: outcome.kind };
    case 'refused':
      return { kind: 'refused', code: outcome.code, detail: outcome.detail, retryInMs };
    case 'queued':
      return { kind: 'unanswered', because: outcome.kind, retryInMs };
    case 'given_up':
      return { kind: 'unanswered', because: outcome.because, retryInMs };
  }
}
