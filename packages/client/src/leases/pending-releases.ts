import type { RequestOutcome } from '../core/retry-policy';
import { type ClientClock, pause } from '../time/clock';

export interface PendingReleasesOptions {
  readonly clock: ClientClock;
  /** How long a request that got no answer may still be carried out. */
  readonly settleMs: number;
  /** Aborted when the client ends as one that dies. */
  readonly killed: AbortSignal;
}

/**
 * Leases that are being given back. Until that is settled a server may still hand one of them to the same installation, which
 * it knows by its name; whoever took it then would hold seats that the release, when it arrives, frees for somebody else.
 */
export class PendingReleases {
  readonly #options: PendingReleasesOptions;
  readonly #find = new Map<string, Promise<void>>();
  readonly #watches = new Set<Set<string>>();

  constructor(options: PendingReleasesOptions) {
    this.#options = options;
  }

  /** Resolves as the delivery does. */
  track(leaseId: string, outcome: Promise<RequestOutcome>): Promise<RequestOutcome> {
    const settled = this.#settled(outcome).then(() => {
      if (this.#find.get(leaseId) === settled) this.#find.delete(leaseId);
      for (const watch of this.#watches) watch.add(leaseId);
    });
    this.#find.set(leaseId, settled);
    return outcome;
  }

  /** Resolves when it is certain what has become of the lease; undefined when nobody is giving it back. */
  find(leaseId: string): Promise<void> | undefined {
    return this.#find.get(leaseId);
  }

  /**
   * Collects the leases whose giving back is settled from now on, until it ends. A server that is asked meanwhile may have
   * named one of them before it took it back, and its answer may come after that of the release.
   */
  watch(): { readonly settled: ReadonlySet<string>; readonly end: () => void } {
    const settled = new Set<string>();
    this.#watches.add(settled);
    return { settled, end: () => void this.#watches.delete(settled) };
  }

  async #settled(outcome: Promise<RequestOutcome>): Promise<void> {
    const { clock, settleMs, killed } = this.#options;
    const settledOutcome = await outcome;
    const mayArrive = settledOutcome.kind === 'given_up' && settledOutcome.mayHaveSucceeded;
    if (mayArrive) await pause(clock, settleMs, { signal: killed, background: true });
  }
}
