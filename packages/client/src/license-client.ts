import { type ClientParts, composeClient } from './compose';
import type { Lease } from './lease';
import type { CheckoutOutcome } from './leases/checkouts';
import type { CheckoutRequest, LicenseClientOptions } from './options';

export type { OutageStage } from './core/grace-period';
export type { ClientNotice, LicenseEvent } from './events';
export type { Lease, LeaseState, ReleaseOutcome } from './lease';
export type { CheckoutOutcome } from './leases/checkouts';
// biome-ignore lint/performance/noBarrelFile: the published package has one entry point
export {
  type OfflineSeats,
  type OfflineSeatsOptions,
  type OfflineSeatsOutcome,
  type OfflineSeatsRefusal,
  readOfflineSeats,
} from './offline-seats';
export type { CheckoutRequest, LicenseClientOptions } from './options';
export type { ControlRoomDefinition } from './registration/registration';
export type { Cancel, ClientClock } from './time/clock';
export type { ClientCall, ResponseRecord } from './transport/call';
export type { Fetch } from './transport/http-transport';

/**
 * Checks out licenses for the application that embeds it and renews them with heartbeats in the background. It moves
 * between servers and regions, keeps leases through outages and restarts, and releases them on `close`. After
 * construction no method throws or rejects: results are outcomes, events and notices.
 */
export class LicenseClient {
  readonly #parts: ClientParts;
  readonly #checkouts = new Set<Promise<unknown>>();
  #closing: Promise<void> | undefined;

  /** @throws TypeError that lists every error in the options */
  constructor(options: LicenseClientOptions) {
    this.#parts = composeClient(options);
  }

  /** The leases that the client renews. Leases of the state file are included once `ready()` has resolved. */
  get leases(): readonly Lease[] {
    return this.#parts.registry.leases;
  }

  /** The GUID of the Control Room, if the client registers one. */
  get controlRoom(): string | undefined {
    return this.#parts.stateAccess.isBlocked ? undefined : this.#parts.registration?.room.guid;
  }

  /** Resolves when the leases of the state file are verified and restored. Never rejects. */
  ready(): Promise<void> {
    return this.#parts.restored;
  }

  /** Checks out seats, or returns a restored lease of the same seats. Never rejects. */
  async checkout(request: CheckoutRequest): Promise<CheckoutOutcome> {
    await this.#parts.restored;
    const checkout = this.#checkout(request);
    this.#checkouts.add(checkout);
    return checkout.finally(() => this.#checkouts.delete(checkout));
  }

  /**
   * Closes the client and releases its leases. With `release: false` the leases stay held: the next client with the same
   * state file restores them, and without a state file they expire. Never rejects.
   */
  close({ release }: { readonly release: boolean } = { release: true }): Promise<void> {
    this.#closing ??= this.#close(release);
    return this.#closing;
  }

  async #checkout(request: CheckoutRequest): Promise<CheckoutOutcome> {
    const { stateAccess, checkouts } = this.#parts;
    return (await stateAccess.ready(request.signal)) ?? checkouts.checkout(request);
  }

  async #close(release: boolean): Promise<void> {
    const { registry, registration, selector, stateFile, closed, killed, save, restored } = this.#parts;
    if (!release) killed.abort();
    closed.abort();
    await restored;
    registration?.stop();
    const { leases } = registry;
    if (release) await Promise.all([...leases.map((lease) => lease.release()), ...this.#checkouts]);
    else for (const lease of leases) lease.abandon();
    save();
    selector.close({ graceful: true });
    await stateFile?.close();
  }
}

/** Creates a client. @throws TypeError that lists every error in the options */
export function createLicenseClient(options: LicenseClientOptions): LicenseClient {
  return new LicenseClient(options);
}
