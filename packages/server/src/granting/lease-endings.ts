import { ACKNOWLEDGED_WITHIN_MS, type CommittedChange } from '../epochs/acknowledgement-gate';
import type { EpochTransactions } from '../epochs/epoch-transactions';
import type { ReplicationTracker } from '../epochs/replication-tracker';
import type { RoleMonitor } from '../epochs/role-monitor';
import { BackgroundJob, type JobReport } from '../platform/background-job';
import type { Timers } from '../platform/timers';
import type { EndingStore } from './store';

const CHECK_EVERY_MS = 1_000;

export interface LeaseEndingsOptions extends Pick<JobReport, 'log' | 'metrics'> {
  readonly store: EndingStore;
  readonly transactions: EpochTransactions;
  readonly replicationTracker: ReplicationTracker;
  readonly role: RoleMonitor;
  /** @default the process's own */
  readonly timers?: Timers | undefined;
}

/**
 * Ends leases against their holder's will in two steps, because the holder still has a token. First the lease is marked:
 * it is not renewed, and its seats stay taken. When the follower has the mark the lease ends and its seats are free. A
 * region that takes over ends marked leases as it opens its epoch, so no token revives a lease whose seats were sold again.
 * While unprotected the mark waits: the lease ends when it expires, or when the follower is back.
 */
export class LeaseEndings {
  readonly #options: LeaseEndingsOptions;
  readonly #job: BackgroundJob;

  constructor(options: LeaseEndingsOptions) {
    this.#options = options;
    const { role, log, metrics, timers } = options;
    this.#job = new BackgroundJob({
      name: 'lease_endings',
      everyMs: CHECK_EVERY_MS,
      onlyWhileGranting: role,
      step: () => this.#finishLeftOver(),
      failureMessage: 'marked leases could not be ended',
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

  /** Ends marked leases if the follower has `marked` in time. */
  async finish({ epoch, lsn, unprotected }: CommittedChange, leaseIds: readonly string[]): Promise<void> {
    if (unprotected || leaseIds.length === 0) return;
    const { replicationTracker, transactions, store } = this.#options;
    if (!(await replicationTracker.waitFor({ epoch, lsn }, { withinMs: ACKNOWLEDGED_WITHIN_MS }))) return;
    await transactions.execute('end_leases', leaseIds.length, (expected) => store.end(leaseIds, expected));
  }

  /** Marks whose server stopped, or that waited for the follower. */
  async #finishLeftOver(): Promise<void> {
    const { transactions, store } = this.#options;
    const found = await transactions.execute('find_ending', 1, (expected) => store.findMarked(expected));
    if (found.kind === 'done') await this.finish(found, found.result);
  }
}
