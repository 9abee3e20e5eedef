import type { RequestOutcome } from '../core/retry-policy';
import { type ClientClock, pauseFor } from '../time/clock';

export interface PendingReleasesOptions {
  readonly clock: ClientClock;
  /** A request without a response may still be executed during this time. */
  readonly settleMs: number;
  /** Aborted when the client is closed like a crashed process. */
  readonly killed: AbortSignal;
}

/**
 * Releases in flight. Until a release is settled, a server may return its lease to the same installation, which it knows by
 * its identity. The client must not accept that lease: the release would free its seats for others.
 */
export class PendingReleases {
  readonly #options: PendingReleasesOptions;
  readonly #inFlight = new Map<string, Promise<void>>();
  readonly #collections = new Set<Set<string>>();

  constructor(options: PendingReleasesOptions) {
    this.#options = options;
  }

  /** Tracks a release and returns its outcome. */
  track(leaseId: string, outcome: Promise<RequestOutcome>): Promise<RequestOutcome> {
    const settled = this.#settled(outcome).then(() => {
      if (this.#inFlight.get(leaseId) === settled) this.#inFlight.delete(leaseId);
      for (const collection of this.#collections) collection.add(leaseId);
    });
    this.#inFlight.set(leaseId, settled);
    return outcome;
  }

  /** Resolves when the release of the lease is settled; undefined when there is none. */
  find(leaseId: string): Promise<void> | undefined {
    return this.#inFlight.get(leaseId);
  }

  /**
   * Collects the leases whose release is settled from now on, until `end`. A response to a concurrent checkout may name such
   * a lease, and may arrive after the response to the release.
   */
  collectSettled(): { readonly settled: ReadonlySet<string>; readonly end: () => void } {
    const settled = new Set<string>();
    this.#collections.add(settled);
    return { settled, end: () => void this.#collections.delete(settled) };
  }

  async #settled(outcome: Promise<RequestOutcome>): Promise<void> {
    const { clock, settleMs, killed } = this.#options;
    const settledOutcome = await outcome;
    const mayArrive = settledOutcome.kind === 'given_up' && settledOutcome.mayHaveSucceeded;
    if (mayArrive) await pauseFor(clock, settleMs, { signal: killed, background: true });
  }
}
