import type { Logger } from 'pino';
import { BackgroundJob } from '../platform/background-job';
import type { MonotonicClock } from '../platform/clock';
import type { Metrics } from '../platform/metrics';
import type { Timers } from '../platform/timers';
import { protectionStep } from './core/replication-mode';
import type { ReplicationTracker } from './replication-tracker';
import type { RoleMonitor } from './role-monitor';
import type { EpochOfRegion, ReplicationStore, ServerAuthorityStore } from './store';

const STEP_EVERY_MS = 500;
/** The follower has just acknowledged a beacon, so it lags by at most a few round trips. */
const CAUGHT_UP_WITHIN_MS = 10_000;

interface ReplicationModeControllerOptions {
  readonly region: string;
  readonly server: string;
  readonly role: RoleMonitor;
  readonly replication: ReplicationStore;
  readonly authorityStore: ServerAuthorityStore;
  readonly replicationTracker: ReplicationTracker;
  readonly clock: MonotonicClock;
  readonly metrics: Metrics;
  readonly log: Logger;
  readonly policy: { readonly unprotectedAfterMs: number; readonly authorityLeaseMs: number };
  /** @default the process's own */
  readonly timers?: Timers | undefined;
}

/**
 * Lets grants skip the wait for a follower that has been gone for long, after the authority store has recorded it.
 * Restores the wait when the follower is back (S6). Every server runs this job, and the stores refuse the later writer.
 */
export class ReplicationModeController {
  readonly #options: ReplicationModeControllerOptions;
  readonly #job: BackgroundJob;
  /** `since` of the record that this server has cleared. Ignored until the role monitor has read a newer record. */
  #cleared: string | undefined;
  #loggedUnprotected = false;

  constructor(options: ReplicationModeControllerOptions) {
    this.#options = options;
    const { role, log, metrics, timers } = options;
    this.#job = new BackgroundJob({
      name: 'replication_mode',
      everyMs: STEP_EVERY_MS,
      onlyWhileGranting: role,
      step: (epoch) => this.#step(epoch),
      failureMessage: 'the replication mode could not be checked',
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

  async #step(epoch: number): Promise<void> {
    const { role, region, replication, policy, metrics } = this.#options;
    const row = await replication.readMode();
    if (row?.epoch !== epoch) return;
    metrics.unprotected.set(row.unprotected ? 1 : 0);
    this.#logMode(row.unprotected, epoch);
    const known = role.unprotectedRecord;
    const record = known && known.since === this.#cleared ? undefined : known;
    const { acknowledgedAgoMs, streamedAgoMs } = role;
    const facts = { epoch, acknowledgedAgoMs, streamedAgoMs, row, record };
    const step = protectionStep(facts, policy);
    if (step.kind === 'grant_unprotected') await this.#grantUnprotected({ epoch, region }, step.seenChanges);
    else if (step.kind === 'protect') await this.#protect({ epoch, region }, step.since);
  }

  async #grantUnprotected(epoch: EpochOfRegion, seenChanges: number): Promise<void> {
    const { authorityStore, replication } = this.#options;
    // The store confirms the record before the first grant that relies on it.
    if (!(await authorityStore.recordUnprotected(epoch))) return;
    this.#cleared = undefined;
    if (await replication.grantUnprotected(epoch, seenChanges)) this.#logMode(true, epoch.epoch);
  }

  async #protect(epoch: EpochOfRegion, since: string | undefined): Promise<void> {
    const { authorityStore, replication, replicationTracker } = this.#options;
    const lsn = await replication.protectGrants(epoch);
    this.#logMode(false, epoch.epoch);
    if (lsn === undefined || since === undefined) return;
    if (!(await replicationTracker.waitFor({ ...epoch, lsn }, { withinMs: CAUGHT_UP_WITHIN_MS }))) return;
    await authorityStore.clearUnprotected(epoch, since);
    this.#cleared = since;
  }

  /** Logs each change once. */
  #logMode(unprotected: boolean, epoch: number): void {
    if (unprotected === this.#loggedUnprotected) return;
    this.#loggedUnprotected = unprotected;
    const { log, server } = this.#options;
    if (unprotected) {
      const announce = `${server} grants unprotected in epoch ${epoch}: the other region's follower is gone`;
      log.warn({ announce, alert: 'granting-unprotected', epoch });
    } else log.info({ announce: `${server}: the grants of epoch ${epoch} are protected by the follower again`, epoch });
  }
}
