import type { Logger } from 'pino';
import type { RoleMonitor } from '../epochs/role-monitor';
import { BackgroundJob } from '../platform/background-job';
import type { Metrics } from '../platform/metrics';
import type { Timers } from '../platform/timers';
import type { TriadClaims } from '../redundancy/core/triad';
import type { LeaseQueries, LeaseStore, OverdraftChange } from './store';

const SWEEP_EVERY_MS = 1_000;
const SWEEP_MORE_AFTER_MS = 20;
const POOLS_SHOWN_EVERY_SWEEPS = 5;

export interface SweeperOptions {
  readonly region: string;
  readonly role: RoleMonitor;
  readonly triadClaims: () => TriadClaims;
  readonly leases: Pick<LeaseStore, 'expire'>;
  readonly queries: Pick<LeaseQueries, 'readPools'>;
  readonly metrics: Metrics;
  readonly log: Logger;
  /** @default the process's own */
  readonly timers?: Timers | undefined;
}

/** Ends expired leases in small transactions. Checkouts reclaim expired seats themselves; the sweeper cleans up. */
export class Sweeper {
  readonly #options: SweeperOptions;
  readonly #job: BackgroundJob;
  #more = false;
  #sweeps = 0;

  constructor(options: SweeperOptions) {
    this.#options = options;
    const { role, log, metrics, timers } = options;
    this.#job = new BackgroundJob({
      name: 'sweeper',
      everyMs: () => (this.#more ? SWEEP_MORE_AFTER_MS : SWEEP_EVERY_MS),
      onlyWhileGranting: role,
      step: (epoch) => this.#sweep(epoch),
      failureMessage: 'the sweep failed',
      log,
      metrics,
      timers,
    });
  }

  start(): void {
    void this.#job.start();
  }

  stop(): Promise<void> {
    return this.#job.stop();
  }

  async #sweep(epoch: number): Promise<void> {
    const { region, triadClaims, leases, queries, metrics, log } = this.#options;
    this.#more = false;
    const swept = await leases.expire({ epoch, region, triads: triadClaims() });
    if (swept.kind !== 'done') return;
    const { expired, more, overdraftChanges } = swept.result;
    metrics.expiries.inc(expired);
    this.#more = more;
    for (const change of overdraftChanges) logOverdraft(log, change);
    if (this.#sweeps++ % POOLS_SHOWN_EVERY_SWEEPS === 0) metrics.showPools(await queries.readPools());
  }
}

function logOverdraft(log: Logger, change: OverdraftChange): void {
  const { product, feature, seats, overdraft, seatsTaken } = change;
  if (change.overdrawn) {
    const announce = `${product}/${feature} is in overdraft: ${seatsTaken} seats are taken, ${seats} were sold, and ${overdraft} more are allowed`;
    log.warn({ announce, alert: 'pool-overdrawn', ...change });
  } else {
    log.info({ announce: `${product}/${feature} is back within its ${seats} seats`, ...change });
  }
}
