import { checkpointHash, type ReadStatement, type StatementSigner } from '@evergrant/formats/audit/checkpoint';
import type { Logger } from 'pino';
import type { RoleMonitor } from '../epochs/role-monitor';
import type { ExpectedEpoch } from '../epochs/store';
import { BackgroundJob } from '../platform/background-job';
import type { MonotonicClock } from '../platform/clock';
import type { Metrics } from '../platform/metrics';
import type { Timers } from '../platform/timers';
import { type DueCheckpoint, planCheckpoints } from './core/checkpointing';
import type { AuditLog, CheckpointStore, LogState, RememberedEvent, StoredCheckpoint } from './store';

export interface CheckpointPolicy {
  /** Interval between checkpoints of changed chains. */
  readonly everyMs: number;
  /** An alert is raised when no checkpoint was stored for this long. */
  readonly lateAfterMs: number;
}

export const CHECKPOINT_POLICY: CheckpointPolicy = { everyMs: 10_000, lateAfterMs: 300_000 };

export interface CheckpointWriterOptions {
  readonly region: string;
  readonly server: string;
  readonly policy: CheckpointPolicy;
  readonly role: RoleMonitor;
  readonly audit: Pick<AuditLog, 'state' | 'missingOf' | 'declareGap'>;
  readonly store: Pick<CheckpointStore, 'newest' | 'newestBefore' | 'add'>;
  readonly signer: Pick<StatementSigner, 'signCheckpoint'>;
  readonly readStatement: ReadStatement;
  readonly clock: MonotonicClock;
  readonly metrics: Metrics;
  readonly log: Logger;
  /** @default the process's own */
  readonly timers?: Timers | undefined;
}

/** No checkpoint is due while another server's newest one is younger than this share of the interval. */
const RECENT_SHARE = 0.8;

/**
 * Signs the heads of changed chains and stores them outside of the license database. The checkpoints make a log that was
 * truncated, set back or rewritten detectable. A server skips its turn when another server has stored a checkpoint
 * recently. Before the first checkpoint of an epoch, the writer declares the events that were lost with the previous
 * epoch. It compares again before it continues a checkpoint of an earlier epoch, because the number of a continued
 * checkpoint cannot be used a second time.
 */
export class CheckpointWriter {
  readonly #options: CheckpointWriterOptions;
  readonly #job: BackgroundJob;
  #comparedEpoch = 0;
  #coveredAtMs: number;
  #late = false;
  #setBack: ReadonlySet<string> = new Set();

  constructor(options: CheckpointWriterOptions) {
    this.#options = options;
    this.#coveredAtMs = options.clock.nowMs();
    const { policy, log, metrics, timers } = options;
    this.#job = new BackgroundJob({
      name: 'checkpoints',
      everyMs: policy.everyMs,
      step: () => this.#step(),
      failureMessage: 'no checkpoint of the audit log could be stored',
      retryableLevel: 'warn',
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

  async #step(): Promise<void> {
    const { role, region, clock, store } = this.#options;
    const verdict = role.verdict();
    if (verdict.kind !== 'granting') {
      this.#coveredAtMs = clock.nowMs();
      return;
    }
    const expected = { epoch: verdict.epoch, region };
    try {
      if (this.#comparedEpoch !== expected.epoch) {
        if (!(await this.#declareLostEvents(await store.newestBefore(expected.epoch), expected))) return;
        this.#comparedEpoch = expected.epoch;
      }
      if (await this.#checkpoint(expected)) this.#coveredAtMs = clock.nowMs();
    } finally {
      this.#reportLateness();
    }
  }

  /** Resolves to false when another epoch has started in between. */
  async #declareLostEvents(inherited: readonly StoredCheckpoint[], expected: ExpectedEpoch): Promise<boolean> {
    const { audit, log, server } = this.#options;
    if (inherited.length === 0) return true;
    const remembered = await this.#verified(inherited);
    for (const lost of await audit.missingOf(remembered)) {
      const outcome = await audit.declareGap(lost, expected);
      if (outcome.kind !== 'done') return false;
      const { chain, epoch, seq } = lost;
      if (outcome.result === 'declared') {
        const announce = `${server} declared audit events of ${chain} up to ${seq} in epoch ${epoch} as lost with a region`;
        log.warn({ announce, audit: 'audit_gap', chain, epoch, seq });
      } else if (outcome.result === 'contradicted') {
        const text = `event ${seq} of ${chain} in the audit log differs from a checkpoint of epoch ${epoch}; verify the log`;
        log.error({ alert: 'audit-contradicted', chain, epoch, seq }, text);
      }
    }
    return true;
  }

  /** Only checkpoints with a valid signature of this deployment prove a loss. */
  async #verified(checkpoints: readonly StoredCheckpoint[]): Promise<RememberedEvent[]> {
    const remembered: RememberedEvent[] = [];
    for (const { jws } of checkpoints) {
      const statement = await this.#options.readStatement(jws);
      if (statement.kind !== 'checkpoint') continue;
      const { chain, epoch, era, seq, hash } = statement;
      remembered.push({ chain, epoch, era, seq, hash, jws });
    }
    return remembered;
  }

  /** Resolves to true when checkpoints cover every event. */
  async #checkpoint(expected: ExpectedEpoch): Promise<boolean> {
    const { audit, store, policy } = this.#options;
    let state = await audit.state();
    const { checkpoints, idleMs } = await store.newest(state.heads.map(({ chain }) => chain));
    let plan = planCheckpoints(state.heads, checkpoints, expected.epoch);
    if (plan.setBack.length > 0) {
      // Another server may have signed newer events after the log was read. Only a chain that is still shorter is set back.
      state = await audit.state();
      plan = planCheckpoints(state.heads, checkpoints, expected.epoch);
    }
    const { due, setBack } = plan;
    this.#reportSetBack(setBack.map(({ head }) => head.chain));
    if (due.length === 0) return true;
    // Another server has stored checkpoints recently. The next run of either server covers the rest.
    if (idleMs < policy.everyMs * RECENT_SHARE) return true;
    // A server of an earlier epoch may have stored a delayed checkpoint after the lost events were declared.
    const inherited = due.flatMap(({ follows }) => (follows && follows.epoch < expected.epoch ? follows : []));
    if (!(await this.#declareLostEvents(inherited, expected))) return false;
    const signed = await Promise.all(due.map((one) => this.#sign(one, state, expected)));
    return (await store.add(signed, expected)) > 0;
  }

  async #sign(
    { head, number, follows }: DueCheckpoint,
    { at, era }: LogState,
    { epoch, region }: ExpectedEpoch,
  ): Promise<StoredCheckpoint> {
    const { signer, server } = this.#options;
    const { chain, seq, hash } = head;
    const previous = follows ? checkpointHash(follows.jws) : null;
    const jws = await signer.signCheckpoint({ chain, seq, hash, epoch, era, region, server, at, number, previous });
    return { chain, number, epoch, seq, jws };
  }

  #reportSetBack(chains: readonly string[]): void {
    const { log } = this.#options;
    for (const chain of chains) {
      if (this.#setBack.has(chain)) continue;
      const text = `chain ${chain} of the audit log ends before a checkpoint of this epoch; it was truncated or set back`;
      log.error({ alert: 'audit-set-back', chain }, text);
    }
    this.#setBack = new Set(chains);
  }

  #reportLateness(): void {
    const { clock, policy, metrics, log } = this.#options;
    const unprovenMs = clock.nowMs() - this.#coveredAtMs;
    metrics.auditUnproven.set(unprovenMs / 1000);
    const late = unprovenMs > policy.lateAfterMs;
    if (late && !this.#late) {
      const text = `no checkpoint of the audit log was stored for ${Math.round(unprovenMs / 1000)} s`;
      log.warn({ alert: 'audit-unproven', unprovenMs }, text);
    }
    this.#late = late;
  }
}
