import { randomUUID } from 'node:crypto';
import { AddressBook } from './addresses';
import { Courier, type Delivery } from './courier';
import { callListener, type LicenseEvent, type Occurrence } from './events';
import { Lease, type LeaseDefinition } from './lease';
import { type Call, type Fetch, type ResponseRecord, Transport } from './transport';
import type { Grant } from './verdict';

export interface LicenseClientOptions {
  /** The license service's addresses, the preferred first; all of them may see the token. At least one. */
  readonly addresses: readonly string[];
  /** Addresses that a server may send this client to besides the configured ones. @default none */
  readonly trustedAddresses?: readonly string[];
  /** The bearer token; scope `lease`. */
  readonly token: string;
  /** Who holds the leases: the GUID of the installation. */
  readonly holder: string;
  /** For one request. Longer than the public address needs to say that a region is gone. @default 10000 */
  readonly requestTimeoutMs?: number;
  /** For one `GET /v1/status` when addresses are compared. @default 2000 */
  readonly statusTimeoutMs?: number;
  /** For one checkout with all its tries. @default 30000 */
  readonly checkoutDeadlineMs?: number;
  /** For one release with all its tries. @default 10000 */
  readonly releaseDeadlineMs?: number;
  /** The first and the longest pause between tries, before jitter. @default 250 and 15000 */
  readonly backoffBaseMs?: number;
  readonly backoffCapMs?: number;
  /** In [0, 1); for jitter. @default Math.random */
  readonly random?: () => number;
  /** @default randomUUID; a test makes it repeatable. */
  readonly newLeaseId?: () => string;
  readonly fetch?: Fetch;
  readonly onEvent?: (event: LicenseEvent) => void;
  /** Gets every response, and every failure to get one. */
  readonly onResponse?: (record: ResponseRecord) => void;
}

export interface CheckoutRequest {
  readonly product: string;
  readonly feature: string;
  /** @default 1 */
  readonly seats?: number;
}

export type CheckoutOutcome =
  | { readonly kind: 'granted'; readonly lease: Lease }
  | { readonly kind: 'no_seat_available' }
  /** Asking again would not help: `code` is the server's (`unauthenticated`, `invalid_request` …). */
  | { readonly kind: 'refused'; readonly code: string; readonly detail: string }
  /** Nobody decided in time. Should the seats have been taken all the same, they are given back. */
  | { readonly kind: 'unavailable'; readonly because: string };

interface Checkout {
  readonly definition: LeaseDefinition;
  readonly call: Call;
  readonly tell: (occurrence: Occurrence) => void;
}

/** How long a checkout that nobody answered is tried to be undone; after that its lease expires by itself. */
const GIVE_BACK_MS = 60_000;

/**
 * Holds licenses for the application that embeds it: checks them out, keeps them with heartbeats in the background,
 * moves between servers and regions, and gives them back. After construction nothing here throws or rejects; what
 * happens is told by outcomes and events.
 */
export class LicenseClient {
  readonly #options: LicenseClientOptions;
  readonly #courier: Courier;
  readonly #random: () => number;
  readonly #releaseDeadlineMs: number;
  readonly #leases = new Map<string, Lease>();
  readonly #checkouts = new Set<Promise<CheckoutOutcome>>();
  readonly #closed = new AbortController();
  /** Closed as a host that dies: from then on not a word to any server. */
  readonly #dead = new AbortController();

  /** @throws TypeError when there is no address, or one that is not http(s). */
  constructor(options: LicenseClientOptions) {
    this.#options = options;
    this.#random = options.random ?? Math.random;
    this.#releaseDeadlineMs = options.releaseDeadlineMs ?? 10_000;
    const transport = new Transport({
      token: options.token,
      fetch: options.fetch ?? globalThis.fetch,
      onResponse: (record) => callListener(options.onResponse, record),
    });
    const status: Call = { kind: 'status', method: 'GET', path: '/v1/status' };
    const addresses = new AddressBook({
      addresses: options.addresses,
      trusted: options.trustedAddresses ?? [],
      askStatus: (address) =>
        transport.send(status, address, { timeoutMs: options.statusTimeoutMs ?? 2_000, stop: this.#closed.signal }),
    });
    this.#courier = new Courier({
      transport,
      addresses,
      requestTimeoutMs: options.requestTimeoutMs ?? 10_000,
      backoff: { baseMs: options.backoffBaseMs ?? 250, capMs: options.backoffCapMs ?? 15_000 },
      random: this.#random,
    });
  }

  /** The leases that are kept by heartbeats now. */
  get leases(): readonly Lease[] {
    return [...this.#leases.values()];
  }

  /** Takes seats. Every try carries the same lease id, so that a lost answer never takes them twice. */
  async checkout(request: CheckoutRequest): Promise<CheckoutOutcome> {
    const outcome = this.#checkOut(request);
    this.#checkouts.add(outcome);
    return outcome.finally(() => this.#checkouts.delete(outcome));
  }

  /** Ends every lease: gives the seats back, or (`release: false`) leaves them to expire, as a host that dies does. */
  async close({ release }: { readonly release: boolean } = { release: true }): Promise<void> {
    if (!release) this.#dead.abort();
    this.#closed.abort();
    const { leases } = this;
    if (release) await Promise.all([...leases.map((lease) => lease.release()), ...this.#checkouts]);
    else for (const lease of leases) lease.abandon();
  }

  async #checkOut({ product, feature, seats = 1 }: CheckoutRequest): Promise<CheckoutOutcome> {
    const definition: LeaseDefinition = { id: (this.#options.newLeaseId ?? randomUUID)(), product, feature, seats };
    const { id: leaseId } = definition;
    const tell = (occurrence: Occurrence): void => {
      callListener(this.#options.onEvent, { leaseId, product, feature, seats, ...occurrence });
    };
    const { holder, checkoutDeadlineMs = 30_000 } = this.#options;
    const body = { product, feature, seats, holder };
    const path = `/v1/leases/${leaseId}`;
    const call: Call = { kind: 'checkout', method: 'PUT', path, body, leaseId, product, feature, seats };
    const delivery = await this.#courier.deliver(call, {
      deadlineMs: checkoutDeadlineMs,
      signal: this.#closed.signal,
      background: false,
      onDistrusted: (address) => tell({ kind: 'distrusted', address }),
    });
    return this.#outcome(delivery, { definition, call, tell });
  }

  async #outcome(delivery: Delivery, { definition, call, tell }: Checkout): Promise<CheckoutOutcome> {
    switch (delivery.kind) {
      case 'done': {
        if (!delivery.grant) return { kind: 'refused', code: 'not_a_lease', detail: 'The answer is not a lease.' };
        if (this.#closed.signal.aborted) {
          await this.#giveBack(call);
          return { kind: 'unavailable', because: 'the client was closed' };
        }
        const lease = this.#keep(definition, delivery.grant, tell);
        tell({ kind: 'granted', epoch: lease.epoch, servedBy: lease.servedBy });
        return { kind: 'granted', lease };
      }
      case 'no_seat_available':
        tell({ kind: 'denied', code: delivery.kind, detail: 'No seat is available.' });
        return { kind: 'no_seat_available' };
      case 'ended':
      case 'refused': {
        const { code, detail } = delivery.kind === 'refused' ? delivery : { code: delivery.code, detail: '' };
        tell({ kind: 'denied', code, detail });
        return { kind: 'refused', code, detail };
      }
      case 'given-up':
        if (delivery.mayBeDone) await this.#giveBack(call);
        return { kind: 'unavailable', because: delivery.because };
    }
  }

  /**
   * A checkout without an answer may have been carried out: its seats are given back, in the background while the client
   * lives, and before its end when it is being closed.
   */
  async #giveBack(call: Call): Promise<void> {
    const { body: _body, ...about } = call;
    const closing = this.#closed.signal.aborted;
    const delivery = this.#courier.deliver(
      { ...about, kind: 'release', method: 'DELETE' },
      {
        deadlineMs: closing ? this.#releaseDeadlineMs : GIVE_BACK_MS,
        signal: this.#dead.signal,
        background: !closing,
      },
    );
    if (closing) await delivery;
  }

  #keep(definition: LeaseDefinition, grant: Grant, tell: (occurrence: Occurrence) => void): Lease {
    const lease = new Lease({
      definition,
      grant,
      courier: this.#courier,
      releaseDeadlineMs: this.#releaseDeadlineMs,
      dead: this.#dead.signal,
      random: this.#random,
      onOccurrence: tell,
      onEnd: () => this.#leases.delete(definition.id),
    });
    this.#leases.set(definition.id, lease);
    return lease;
  }
}
