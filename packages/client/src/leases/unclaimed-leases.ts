import type { ClientClock } from '../time/clock';
import type { LeaseRegistry } from './lease-registry';

/**
 * Releases restored leases that the application does not check out again. The delay starts with the first response of a
 * server, so that no lease is released while the service is unreachable.
 */
export class UnclaimedLeases {
  readonly #registry: Pick<LeaseRegistry, 'unclaimed'>;
  readonly #clock: ClientClock;
  readonly #keepMs: number;
  #isScheduled = false;

  constructor(registry: Pick<LeaseRegistry, 'unclaimed'>, { clock, keepMs }: { clock: ClientClock; keepMs: number }) {
    this.#registry = registry;
    this.#clock = clock;
    this.#keepMs = keepMs;
  }

  /** A server has responded. */
  scheduleRelease(): void {
    if (this.#isScheduled || this.#registry.unclaimed.length === 0) return;
    this.#isScheduled = true;
    const release = (): void => {
      for (const lease of this.#registry.unclaimed) void lease.release();
    };
    this.#clock.after(this.#keepMs, release, { background: true });
  }
}
