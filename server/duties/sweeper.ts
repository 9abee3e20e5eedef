import type { Logger } from 'pino';
import { DatabaseFailure, type LicenseDatabase } from '../ports';
import { Loop } from './loop';
import type { Metrics } from './metrics';
import type { RoleDuty } from './role';

const SWEEP_EVERY_MS = 1_000;
const SWEEP_MORE_AFTER_MS = 20;
const POOLS_SHOWN_EVERY_SWEEPS = 5;

/** Ends leases whose time has passed, in small transactions. Checkouts reclaim by themselves; this keeps the books. */
export class Sweeper {
  readonly #loop: Loop;
  #more = false;
  #sweeps = 0;

  constructor(options: { region: string; role: RoleDuty; database: LicenseDatabase; metrics: Metrics; log: Logger }) {
    const { region, role, database, metrics, log } = options;
    this.#loop = new Loop(
      async () => {
        this.#more = false;
        const verdict = role.verdict();
        if (verdict.kind !== 'granting') return;
        try {
          const swept = await database.expire({ epoch: verdict.epoch, region });
          if (swept.kind !== 'done') return;
          metrics.expiries.inc(swept.result.expired);
          this.#more = swept.result.more;
          if (this.#sweeps++ % POOLS_SHOWN_EVERY_SWEEPS === 0) metrics.showPools(await database.readPools());
        } catch (error) {
          const level = error instanceof DatabaseFailure && error.retryable ? 'debug' : 'error';
          log[level]({ failure: error instanceof Error ? error.message : error }, 'the sweep failed');
        }
      },
      () => (this.#more ? SWEEP_MORE_AFTER_MS : SWEEP_EVERY_MS),
    );
  }

  start(): void {
    void this.#loop.start();
  }

  stop(): Promise<void> {
    return this.#loop.stop();
  }
}
