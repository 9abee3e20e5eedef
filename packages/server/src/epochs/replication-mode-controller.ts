import type { Logger } from 'pino';
import type { MonotonicClock } from '../platform/clock';
import { Loop } from '../platform/loop';
import type { Metrics } from '../platform/metrics';
import type { Timers } from '../platform/timers';
import { protectionStep } from './core/replication-mode';
import type { Acknowledgements } from './replication-tracker';
import type { RoleDuty } from './role-monitor';
import type { AuthorityStore, EpochOfRegion, ReplicationStore } from './store';

const STEP_EVERY_MS = 500;
/** The follower has just acknowledged a beacon: it is no further behind than a few round trips. */
const CAUGHT_UP_WITHIN_MS = 10_000;

interface ProtectionDutyOptions {
  readonly region: string;
  readonly server: string;
  readonly role: RoleDuty;
  readonly replication: ReplicationStore;
  readonly authorityStore: AuthorityStore;
  readonly acknowledgements: Acknowledgements;
  readonly clock: MonotonicClock;
  readonly metrics: Metrics;
  readonly log: Logger;
  readonly policy: { readonly unprotectedAfterMs: number; readonly authorityLeaseMs: number };
  /** @default the process's own */
  readonly timers?: Timers | undefined;
}

/**
 * Lets grants go without waiting for a follower that is gone for long, once the authority store has it on record, and
 * makes them wait again when the follower is back (S6). Every server does it; the stores reject whoever comes too late.
 */
export class ProtectionDuty {
  readonly #options: ProtectionDutyOptions;
  readonly #loop: Loop;
  /** The record that is cleared already, while the role has read none newer. */
  #cleared: string | undefined;
  #told = false;

  constructor(options: ProtectionDutyOptions) {
    this.#options = options;
    this.#loop = new Loop(
      () => this.#step().catch((error) => this.#failed(error)),
      () => STEP_EVERY_MS,
      options.timers,
    );
  }

  start(): void {
    void this.#loop.start();
  }

  stop(): Promise<void> {
    return this.#loop.stop();
  }

  async #step(): Promise<void> {
    const { role, region, replication, policy, metrics } = this.#options;
    const verdict = role.verdict();
    if (verdict.kind !== 'granting') return;
    const row = await replication.readMode();
    if (row?.epoch !== verdict.epoch) return;
    metrics.unprotected.set(row.unprotected ? 1 : 0);
    this.#tell(row.unprotected, verdict.epoch);
    const known = role.unprotectedRecord;
    const record = known && known.since === this.#cleared ? undefined : known;
    const { acknowledgedAgoMs, streamedAgoMs } = role;
    const facts = { epoch: verdict.epoch, acknowledgedAgoMs, streamedAgoMs, row, record };
    const step = protectionStep(facts, policy);
    const epoch = { epoch: verdict.epoch, region };
    if (step.kind === 'grant_unprotected') await this.#grantUnprotected(epoch, step.seenChanges);
    else if (step.kind === 'protect') await this.#protect(epoch, step.since);
  }

  async #grantUnprotected(epoch: EpochOfRegion, seenChanges: number): Promise<void> {
    const { authorityStore, replication } = this.#options;
    // Its word that it is on record comes before the first grant that relies on it.
    if (!(await authorityStore.recordUnprotected(epoch))) return;
    this.#cleared = undefined;
    if (await replication.grantUnprotected(epoch, seenChanges)) this.#tell(true, epoch.epoch);
  }

  async #protect(epoch: EpochOfRegion, since: string | undefined): Promise<void> {
    const { authorityStore, replication, acknowledgements } = this.#options;
    const lsn = await replication.protectGrants(epoch);
    this.#tell(false, epoch.epoch);
    if (lsn === undefined || since === undefined) return;
    if (!(await acknowledgements.reached({ ...epoch, lsn }, { withinMs: CAUGHT_UP_WITHIN_MS }))) return;
    await authorityStore.clearUnprotected(epoch, since);
    this.#cleared = since;
  }

  /** Says each change once. */
  #tell(unprotected: boolean, epoch: number): void {
    if (unprotected === this.#told) return;
    this.#told = unprotected;
    const { log, server } = this.#options;
    if (unprotected) {
      const announce = `${server} grants unprotected in epoch ${epoch}: the other region's follower is gone`;
      log.warn({ announce, alert: 'granting-unprotected', epoch });
    } else log.info({ announce: `${server}: the grants of epoch ${epoch} are protected by the follower again`, epoch });
  }

  #failed(error: unknown): void {
    const failure = error instanceof Error ? error.message : error;
    this.#options.log.debug({ failure }, 'the protection of grants could not be looked after');
  }
}
