import type { Delivery } from '../core/retry-policy';
import { type ClientClock, pause } from '../time/clock';

export interface FarewellsOptions {
  readonly clock: ClientClock;
  /** How long a request that got no answer may still be carried out. */
  readonly settleMs: number;
  /** Aborted when the client ends as one that dies. */
  readonly dead: AbortSignal;
}

/**
 * Leases that are being given back. Until that is settled a server may still hand one of them to the same installation, which
 * it knows by its name; whoever took it then would hold seats that the release, when it arrives, frees for somebody else.
 */
export class Farewells {
  readonly #options: FarewellsOptions;
  readonly #underWay = new Map<string, Promise<void>>();
  readonly #watches = new Set<Set<string>>();

  constructor(options: FarewellsOptions) {
    this.#options = options;
  }

  /** Resolves as the delivery does. */
  say(leaseId: string, delivery: Promise<Delivery>): Promise<Delivery> {
    const settled = this.#settled(delivery).then(() => {
      if (this.#underWay.get(leaseId) === settled) this.#underWay.delete(leaseId);
      for (const watch of this.#watches) watch.add(leaseId);
    });
    this.#underWay.set(leaseId, settled);
    return delivery;
  }

  /** Resolves when it is certain what has become of the lease; undefined when nobody is giving it back. */
  underWay(leaseId: string): Promise<void> | undefined {
    return this.#underWay.get(leaseId);
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

  async #settled(delivery: Promise<Delivery>): Promise<void> {
    const { clock, settleMs, dead } = this.#options;
    const outcome = await delivery;
    const mayArrive = outcome.kind === 'given-up' && outcome.mayBeDone;
    if (mayArrive) await pause(clock, settleMs, { signal: dead, background: true });
  }
}
