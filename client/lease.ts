import type { Courier, Delivery } from './courier';
import type { Occurrence } from './events';
import type { Call } from './transport';
import type { Grant } from './verdict';

/**
 * - `held`: a server renewed it in time;
 * - `grace`: its time is over and nobody could be reached; the host goes on working, heartbeats go on trying;
 * - `lost`: a server said definitively that it is no more;
 * - `released`: given back by the holder.
 */
export type LeaseState = 'held' | 'grace' | 'lost' | 'released';

export type ReleaseOutcome =
  | { readonly kind: 'released' }
  /** The server does not have it any more, which is what a release is for. */
  | { readonly kind: 'already-gone' }
  /** Nobody could be told: the seats come back when the lease expires. */
  | { readonly kind: 'not-told'; readonly because: string };

export interface LeaseDefinition {
  readonly id: string;
  readonly product: string;
  readonly feature: string;
  readonly seats: number;
}

export interface LeaseOptions {
  readonly definition: LeaseDefinition;
  readonly grant: Grant;
  readonly courier: Courier;
  readonly releaseDeadlineMs: number;
  /** Aborted when the host is to look dead: a release that is being tried stops then. */
  readonly dead: AbortSignal;
  readonly random: () => number;
  readonly onOccurrence: (occurrence: Occurrence) => void;
  /** It will send no more heartbeats. */
  readonly onEnd: () => void;
}

/** Heartbeats are sent up to a tenth of their interval later than the server allows, so that leases drift apart. */
const JITTER_SHARE = 0.1;
const HEARTBEAT_MS_MIN = 50;
/** setTimeout's own limit. A longer lease is looked at again after this. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/** Seats that are held, kept by heartbeats in the background until they are released or lost. */
export class Lease {
  readonly id: string;
  readonly product: string;
  readonly feature: string;
  readonly seats: number;
  readonly #options: LeaseOptions;
  readonly #stopped = new AbortController();
  #grant: Grant;
  #expiresAtMs = 0;
  #state: LeaseState = 'held';
  #heartbeatTimer: NodeJS.Timeout | undefined;
  #expiryTimer: NodeJS.Timeout | undefined;
  #release: Promise<ReleaseOutcome> | undefined;

  constructor(options: LeaseOptions) {
    const { id, product, feature, seats } = options.definition;
    this.id = id;
    this.product = product;
    this.feature = feature;
    this.seats = seats;
    this.#options = options;
    this.#grant = options.grant;
    this.#take(options.grant);
  }

  get state(): LeaseState {
    return this.#state;
  }

  /** The signed proof of the last grant or renewal. */
  get token(): string {
    return this.#grant.token;
  }

  get epoch(): number {
    return this.#grant.epoch;
  }

  get servedBy(): string {
    return this.#grant.servedBy;
  }

  /** What is left of its time, by this machine's monotonic clock; never below 0. */
  get expiresInMs(): number {
    return Math.max(0, this.#expiresAtMs - performance.now());
  }

  /** Gives the seats back. Stops the heartbeats at once; asking twice is asking once. Never rejects. */
  release(): Promise<ReleaseOutcome> {
    this.#release ??= this.#giveBack();
    return this.#release;
  }

  /** Stops the heartbeats without a word to any server, as a host that dies does. The lease expires by itself. */
  abandon(): void {
    this.#stop();
  }

  async #giveBack(): Promise<ReleaseOutcome> {
    if (this.#state === 'lost') return { kind: 'already-gone' };
    this.#stop();
    this.#state = 'released';
    const delivery = await this.#options.courier.deliver(this.#call('release', 'DELETE', ''), {
      deadlineMs: this.#options.releaseDeadlineMs,
      signal: this.#options.dead,
      background: false,
    });
    this.#options.onOccurrence({ kind: 'released' });
    return releaseOutcome(delivery);
  }

  #stop(): void {
    clearTimeout(this.#heartbeatTimer);
    clearTimeout(this.#expiryTimer);
    if (this.#stopped.signal.aborted) return;
    this.#stopped.abort();
    this.#options.onEnd();
  }

  #take(grant: Grant): void {
    this.#grant = grant;
    this.#expiresAtMs = grant.sentAtMs + grant.expiresInMs;
    clearTimeout(this.#expiryTimer);
    this.#expiryTimer = setTimeout(() => this.#considerExpiry(), Math.min(this.expiresInMs, TIMER_MS_MAX)).unref();
    const jitterMs = this.#options.random() * JITTER_SHARE * grant.heartbeatInMs;
    this.#heartbeatIn(Math.max(HEARTBEAT_MS_MIN, grant.heartbeatInMs + jitterMs));
  }

  #heartbeatIn(ms: number): void {
    clearTimeout(this.#heartbeatTimer);
    // The last link of the chain: whatever went wrong in a heartbeat, the host's process must not hear of it.
    const beat = (): void => {
      this.#heartbeat().catch((error: Error) => this.#tryAgainLater(error.message));
    };
    this.#heartbeatTimer = setTimeout(beat, Math.min(ms, TIMER_MS_MAX)).unref();
  }

  async #heartbeat(): Promise<void> {
    const call = this.#call('heartbeat', 'POST', '/heartbeat');
    const { signal } = this.#stopped;
    const delivery = await this.#options.courier.deliver(call, {
      deadlineMs: Number.POSITIVE_INFINITY,
      signal,
      background: true,
      onDistrusted: (address) => this.#options.onOccurrence({ kind: 'distrusted', address }),
    });
    // Released or abandoned while the answer was on its way: what it says does not matter any more.
    if (signal.aborted) return;
    this.#learn(delivery);
  }

  #learn(delivery: Delivery): void {
    const { onOccurrence } = this.#options;
    switch (delivery.kind) {
      case 'done':
        if (delivery.grant) this.#renewed(delivery.grant);
        else this.#tryAgainLater('an empty answer');
        break;
      case 'ended':
        this.#stop();
        this.#state = 'lost';
        onOccurrence({ kind: 'lost', code: delivery.code });
        break;
      case 'refused':
        // Perhaps the credentials are being renewed: no word about the lease itself, so it is not given up.
        onOccurrence({ kind: 'denied', code: delivery.code, detail: delivery.detail });
        this.#tryAgainLater(delivery.code);
        break;
      case 'no_seat_available':
        this.#tryAgainLater(delivery.kind);
        break;
      case 'given-up':
        this.#tryAgainLater(delivery.because);
        break;
    }
  }

  #renewed(grant: Grant): void {
    const wasInGrace = this.#state === 'grace';
    this.#state = 'held';
    this.#take(grant);
    const { epoch, servedBy } = grant;
    this.#options.onOccurrence({ kind: wasInGrace ? 'restored' : 'renewed', epoch, servedBy });
  }

  #tryAgainLater(because: string): void {
    if (this.expiresInMs === 0) this.#enterGrace(because);
    this.#heartbeatIn(Math.max(HEARTBEAT_MS_MIN, this.#grant.heartbeatInMs * (1 + this.#options.random())));
  }

  #considerExpiry(): void {
    if (this.expiresInMs > 0) {
      this.#expiryTimer = setTimeout(() => this.#considerExpiry(), Math.min(this.expiresInMs, TIMER_MS_MAX)).unref();
    } else {
      this.#enterGrace('nobody renewed it in time');
    }
  }

  #enterGrace(because: string): void {
    if (this.#state !== 'held') return;
    this.#state = 'grace';
    this.#options.onOccurrence({ kind: 'grace', because });
  }

  /** Each call shows the newest token: to a server that never heard of the lease it is the proof of it (S3). */
  #call(kind: Call['kind'], method: Call['method'], suffix: string): Call {
    const { id: leaseId, product, feature, seats, token } = this;
    const body = { token };
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
    case 'no_seat_available':
      return { kind: 'not-told', because: delivery.kind };
    case 'given-up':
      return { kind: 'not-told', because: delivery.because };
  }
}
