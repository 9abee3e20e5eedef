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
import type { Lease, LeaseState, ReleaseOutcome } from '../lease';
import type { StoredLease } from '../state/schema';
import type { Cancel, ClientClock } from '../time/clock';
import type { ClientCall } from '../transport/call';
import type { GrantVerdict } from './proven-grant';

/** Constant properties of a lease. */
export interface LeaseDefinition extends SeatSpec {
  readonly holder: string;
  /** Identity by which a server finds the lease, and its number among the leases of the same seats. */
  readonly identity: string | undefined;
  readonly number: number;
}

/** Properties of the last grant. */
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
  /** A request of the lease is due. */
  readonly onCallDue: (lease: ManagedLease) => void;
  /** The stored properties have changed, or the lease is finished. */
  readonly onChange: (lease: ManagedLease) => void;
  readonly release: (lease: ManagedLease) => Promise<RequestOutcome>;
}

/** Result of a request of the lease, with the token already verified. */
export type CallResult =
  | { readonly kind: 'granted'; readonly grant: Grant }
  | { readonly kind: 'unproven'; readonly detail: string; readonly retryInMs: number }
  | Exclude<LeaseInput, { kind: 'granted' | 'time' | 'released' | 'disconnected' }>;

/** Runs the state machine of one lease: timer, events for the application, and due requests. */
export class ManagedLease implements Lease {
  readonly definition: LeaseDefinition;
  /** Restored, and not yet claimed by a checkout. */
  unclaimed = false;
  readonly #options: ManagedLeaseOptions;
  #facts: LeaseFacts;
  #machine: LeaseMachineState;
  /** Lease id of the new checkout. It stays the same until the checkout is decided, so seats are never taken twice. */
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

  /** The request to send now; undefined when none is needed any more. */
  get nextCall(): ClientCall | undefined {
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

  /** Every request carries the newest token, which proves the lease to a server that does not know it (S3). */
  get releaseCall(): ClientCall {
    return this.#call('release', 'DELETE', '', this.id, { token: this.token });
  }

  /** False while the seats are checked out again: a heartbeat of the session does not cover that. */
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
        this.#applyGrant(result.grant);
        this.#advance(result);
        break;
      case 'unproven': {
        const { detail, retryInMs } = result;
        this.#options.onLeaseEvent(this, { kind: 'unproven', detail });
        this.#advance({ kind: 'unanswered', reason: 'unproven', retryInMs });
        break;
      }
      default:
        this.#advance(result);
    }
  }

  /** The session of the lease was lost. */
  disconnected(when: { readonly notBeforeMs: number; readonly withinMs: number }): void {
    this.#advance({ kind: 'disconnected', ...when });
  }

  release(): Promise<ReleaseOutcome> {
    this.#release ??= this.#releaseNow();
    return this.#release;
  }

  /** Stops without a request, like a crashed process. */
  abandon(): void {
    this.#timer();
  }

  async #releaseNow(): Promise<ReleaseOutcome> {
    if (this.state === 'lost') return { kind: 'already-gone' };
    const released = step(this.#machine, { kind: 'released' }, this.#moment());
    this.#machine = released.lease;
    this.#timer();
    this.#options.onChange(this);
    const outcome = await this.#options.release(this);
    for (const event of released.events) this.#options.onLeaseEvent(this, event);
    return releaseOutcome(outcome);
  }

  #applyGrant(grant: Grant): void {
    const { token, epoch, servedBy, overdraft } = grant;
    const id = grant.leaseId ?? this.#reacquireId ?? this.id;
    this.#facts = { id, licenseId: grant.licenseId ?? this.licenseId, token, epoch, servedBy, overdraft };
    this.#reacquireId = undefined;
  }

  #advance(input: LeaseInput): void {
    const before = this.#machine;
    const { lease, events, ask } = step(before, input, this.#moment());
    this.#machine = lease;
    if (ask) this.#asking = ask;
    this.#wake();
    if (input.kind === 'granted' || (isFinished(lease) && !isFinished(before))) this.#options.onChange(this);
    for (const event of events) this.#options.onLeaseEvent(this, event);
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
    kind: ClientCall['kind'],
    method: ClientCall['method'],
    suffix: string,
    leaseId: string,
    body: Readonly<Record<string, unknown>>,
  ): ClientCall {
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
      return { kind: 'not-told', because: outcome.reason };
  }
}

/** Combines the outcome of a request with the verification of its token. */
export function callResultOf(
  outcome: RequestOutcome,
  verdict: GrantVerdict | undefined,
  retryInMs: number,
): CallResult {
  switch (outcome.kind) {
    case 'done': {
      if (!outcome.grant) return { kind: 'unanswered', reason: 'empty response', retryInMs };
      if (verdict?.kind !== 'proven') return { kind: 'unproven', detail: verdict?.detail ?? 'not verified', retryInMs };
      return { kind: 'granted', grant: verdict.grant };
    }
    case 'ended':
      return outcome;
    case 'no_seat_available':
      return { kind: 'ended', code: outcome.kind };
    case 'refused':
      return { kind: 'refused', code: outcome.code, detail: outcome.detail, retryInMs };
    case 'queued':
      return { kind: 'unanswered', reason: outcome.kind, retryInMs };
    case 'given_up':
      return { kind: 'unanswered', reason: outcome.reason, retryInMs };
  }
}
