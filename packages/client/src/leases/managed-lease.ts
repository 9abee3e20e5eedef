import type { SeatName } from '../core/lease-identity';
import { isOver, type LeaseCourse, type LeaseInput, type Moment, step, wakeAtMs } from '../core/lease-state';
import type { Delivery } from '../core/retry-policy';
import type { Grant } from '../core/verdict';
import type { Occurrence } from '../events';
import type { TokenVerdict } from '../keys/key-ring';
import type { Lease, LeaseState, ReleaseOutcome } from '../lease';
import type { KeptLease } from '../state/schema';
import type { Cancel, ClientClock } from '../time/clock';
import type { Call } from '../transport/call';

/** What a lease is of, for as long as it is kept. */
export interface LeaseDefinition extends SeatName {
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

export interface LeaseKeeperOptions {
  readonly definition: LeaseDefinition;
  readonly facts: LeaseFacts;
  readonly course: LeaseCourse;
  readonly clock: ClientClock;
  readonly random: () => number;
  readonly newLeaseId: () => string;
  readonly onOccurrence: (keeper: LeaseKeeper, occurrence: Occurrence) => void;
  /** It has something to ask. */
  readonly onAsk: (keeper: LeaseKeeper) => void;
  /** What would have to be kept has changed, or it is over. */
  readonly onChange: (keeper: LeaseKeeper) => void;
  readonly release: (keeper: LeaseKeeper) => Promise<Delivery>;
}

/** What a question about the lease led to, with the token of a grant already verified. */
export type Learned =
  | { readonly kind: 'granted'; readonly grant: Grant }
  | { readonly kind: 'unproven'; readonly detail: string; readonly againInMs: number }
  | Exclude<LeaseInput, { kind: 'granted' | 'time' | 'released' | 'disconnected' }>;

/** Carries one lease through its course: gives it the time, tells the host, and says when something is to be asked. */
export class LeaseKeeper implements Lease {
  readonly definition: LeaseDefinition;
  /** Nobody has asked for it since the installation was started again. */
  unclaimed = false;
  readonly #options: LeaseKeeperOptions;
  #facts: LeaseFacts;
  #course: LeaseCourse;
  /** Under which the seats are asked for anew; kept until that is decided, so that they are never taken twice. */
  #anewId: string | undefined;
  #asking: 'heartbeat' | 'checkout' | undefined;
  #timer: Cancel = () => undefined;
  #release: Promise<ReleaseOutcome> | undefined;

  constructor(options: LeaseKeeperOptions) {
    this.#options = options;
    this.definition = options.definition;
    this.#facts = options.facts;
    this.#course = options.course;
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
    return this.#course.state;
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
    return this.#course.borrowed;
  }

  get overdraft(): boolean {
    return this.#facts.overdraft;
  }

  get expiresInMs(): number {
    return Math.max(0, this.#course.expiresAtMs - this.#options.clock.nowMs());
  }

  get isOver(): boolean {
    return isOver(this.#course);
  }

  /** What is to be asked now; undefined when that has been settled meanwhile. */
  get question(): Call | undefined {
    if (this.isOver || !this.#asking) return undefined;
    if (this.#asking === 'heartbeat')
      return this.#call('heartbeat', 'POST', '/heartbeat', this.id, { token: this.token });
    this.#anewId ??= this.#options.newLeaseId();
    const { product, feature, seats, holder, identity, licenseId } = this.definition;
    const body = {
      product,
      feature,
      seats,
      holder,
      ...(identity ? { identity } : {}),
      ...(licenseId ? { licenseId } : {}),
    };
    return this.#call('checkout', 'PUT', '', this.#anewId, body);
  }

  /** Each call shows the newest token: to a server that never heard of the lease it is the proof of it (S3). */
  get farewell(): Call {
    return this.#call('release', 'DELETE', '', this.id, { token: this.token });
  }

  /** For as long as it is asked for anew, a heartbeat of the whole session says nothing about it. */
  get asksForRenewal(): boolean {
    return !this.isOver && this.#course.asks === 'heartbeat' && !this.borrowed;
  }

  get heartbeatInMs(): number {
    return this.#course.heartbeatInMs;
  }

  kept(): KeptLease {
    const { product, feature, seats, holder, identity } = this.definition;
    const { id: leaseId, licenseId, token, borrowed, epoch, servedBy } = this;
    return { leaseId, licenseId, product, feature, seats, holder, identity, borrowed, epoch, servedBy, token };
  }

  learn(learned: Learned): void {
    if (this.isOver) return;
    this.#asking = undefined;
    switch (learned.kind) {
      case 'granted':
        this.#take(learned.grant);
        this.#advance(learned);
        break;
      case 'unproven': {
        const { detail, againInMs } = learned;
        this.#options.onOccurrence(this, { kind: 'unproven', detail });
        this.#advance({ kind: 'unanswered', because: 'unproven', againInMs });
        break;
      }
      default:
        this.#advance(learned);
    }
  }

  /** The connection that it was held over is gone. */
  disconnected(when: { readonly notBeforeMs: number; readonly withinMs: number }): void {
    this.#advance({ kind: 'disconnected', ...when });
  }

  release(): Promise<ReleaseOutcome> {
    this.#release ??= this.#giveBack();
    return this.#release;
  }

  /** Stops without a word to any server, as a host that dies does. */
  abandon(): void {
    this.#timer();
  }

  async #giveBack(): Promise<ReleaseOutcome> {
    if (this.state === 'lost') return { kind: 'already-gone' };
    const told = step(this.#course, { kind: 'released' }, this.#moment());
    this.#course = told.lease;
    this.#timer();
    this.#options.onChange(this);
    const delivery = await this.#options.release(this);
    for (const occurrence of told.told) this.#options.onOccurrence(this, occurrence);
    return releaseOutcome(delivery);
  }

  #take(grant: Grant): void {
    const { token, epoch, servedBy, overdraft } = grant;
    const id = grant.leaseId ?? this.#anewId ?? this.id;
    this.#facts = { id, licenseId: grant.licenseId ?? this.licenseId, token, epoch, servedBy, overdraft };
    this.#anewId = undefined;
  }

  #advance(input: LeaseInput): void {
    const before = this.#course;
    const { lease, told, ask } = step(before, input, this.#moment());
    this.#course = lease;
    if (ask) this.#asking = ask;
    this.#wake();
    if (input.kind === 'granted' || (isOver(lease) && !isOver(before))) this.#options.onChange(this);
    for (const occurrence of told) this.#options.onOccurrence(this, occurrence);
    if (ask && !this.isOver) this.#options.onAsk(this);
  }

  #wake(): void {
    this.#timer();
    const { clock } = this.#options;
    const atMs = wakeAtMs(this.#course, clock.nowMs());
    if (atMs === undefined) return;
    this.#timer = clock.after(atMs - clock.nowMs(), () => this.#advance({ kind: 'time' }), { background: true });
  }

  #moment(): Moment {
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

function releaseOutcome(delivery: Delivery): ReleaseOutcome {
  switch (delivery.kind) {
    case 'done':
      return { kind: 'released' };
    case 'ended':
      return { kind: 'already-gone' };
    case 'refused':
      return { kind: 'not-told', because: delivery.code };
    case 'queued':
    case 'no_seat_available':
      return { kind: 'not-told', because: delivery.kind };
    case 'given-up':
      return { kind: 'not-told', because: delivery.because };
  }
}

/** How a verified token reads to a keeper. */
export function learnedFrom(delivery: Delivery, proof: TokenVerdict | undefined, againInMs: number): Learned {
  switch (delivery.kind) {
    case 'done': {
      if (!delivery.grant) return { kind: 'unanswered', because: 'an empty answer', againInMs };
      if (proof?.kind === 'refused') return { kind: 'unproven', detail: proof.detail, againInMs };
      return { kind: 'granted', grant: delivery.grant };
    }
    case 'ended':
      return delivery;
    case 'no_seat_available':
      return { kind: 'ended', code: delivery.kind };
    case 'refused':
      return { kind: 'refused', code: delivery.code, detail: delivery.detail, againInMs };
    case 'queued':
      return { kind: 'unanswered', because: delivery.kind, againInMs };
    case 'given-up':
      return { kind: 'unanswered', because: delivery.because, againInMs };
  }
}
