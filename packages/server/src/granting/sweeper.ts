import type { Logger } from 'pino';
import type { RoleDuty } from '../epochs/role-monitor';
import type { ExpectedEpoch } from '../epochs/store';
import { DatabaseFailure } from '../platform/database-failure';
import { Loop } from '../platform/loop';
import type { Metrics } from '../platform/metrics';
import type { Timers } from '../platform/timers';
import type { TriadClaims } from '../redundancy/core/triad';
import type { LeaseQueries, LeaseStore, OverdraftChange } from './store';

const SWEEP_EVERY_MS = 1_000;
const SWEEP_MORE_AFTER_MS = 20;
const POOLS_SHOWN_EVERY_SWEEPS = 5;

export interface SweeperOptions {
  readonly region: string;
  readonly role: RoleDuty;
  readonly triadClaims: () => TriadClaims;
  readonly leases: Pick<LeaseStore, 'expire'>;
  readonly queries: Pick<LeaseQueries, 'readPools'>;
  readonly metrics: Metrics;
  readonly log: Logger;
  /** @default the process's own */
  readonly timers?: Timers | undefined;
}

/** Ends leases whose time has passed, in small transactions. Checkouts reclaim by themselves; this keeps the books. */
export class Sweeper {
  readonly #loop: Loop;
  #more = false;
  #sweeps = 0;

  constructor(options: SweeperOptions) {
    const { region, role, triadClaims, log } = options;
    this.#loop = new Loop(
      async () => {
        this.#more = false;
        const verdict = role.verdict();
        if (verdict.kind !== 'granting') return;
        try {
          await this.#sweep({ epoch: verdict.epoch, region, triads: triadClaims() }, options);
        } catch (error) {
          const level = error instanceof DatabaseFailure && error.retryable ? 'debug' : 'error';
          log[level]({ failure: error instanceof Error ? error.message : error }, 'the sweep failed');
        }
      },
      () => (this.#more ? SWEEP_MORE_AFTER_MS : SWEEP_EVERY_MS),
      options.timers,
    );
  }

  start(): void {
    void this.#loop.start();
  }

  stop(): Promise<void> {
    return this.#loop.stop();
  }

  async #sweep(expected: ExpectedEpoch, { leases, queries, metrics, log }: SweeperOptions): Promise<void> {
    const swept = await leases.expire(expected);
    if (swept.kind !== 'done') return;
    const { expired, more, overdraftChanges } = swept.result;
    metrics.expiries.inc(expired);
    this.#more = more;
    for (const change of overdraftChanges) tellOverdraft(log, change);
    if (this.#sweeps++ % POOLS_SHOWN_EVERY_SWEEPS === 0) metrics.showPools(await queries.readPools());
  }
}

function tellOverdraft(log: Logger, change: OverdraftChange): void {
  const { product, feature, seats, overdraft, seatsTaken } = change;
  if (change.overdrawn) {
    const announce = `${product}/${feature} is in overdraft: ${seatsTaken} seats are taken, ${seats} were sold and ${overdraft} more may be`;
    log.warn({ announce, alert: 'pool-overdrawn', ...change });
  } else {
    log.info({ announce: `${product}/${feature} is back within its ${seats} seats`, ...change });
  }
}
