import { checkpointHash, type ReadStatement, type StatementSigner } from '@evergrant/formats/audit/checkpoint';
import type { Logger } from 'pino';
import type { RoleDuty } from '../epochs/role-monitor';
import type { ExpectedEpoch } from '../epochs/store';
import { BackgroundJob } from '../platform/background-job';
import type { MonotonicClock } from '../platform/clock';
import type { Metrics } from '../platform/metrics';
import type { Timers } from '../platform/timers';
import { type DueCheckpoint, planCheckpoints } from './core/checkpointing';
import type { AuditLog, CheckpointStore, LogState, RememberedEvent, StoredCheckpoint } from './store';

export interface CheckpointPolicy {
  /** How often what changed is signed. */
  readonly everyMs: number;
  /** When nothing could be stored for so long, it is an alert. */
  readonly lateAfterMs: number;
}

export const CHECKPOINT_POLICY: CheckpointPolicy = { everyMs: 10_000, lateAfterMs: 300_000 };

export interface CheckpointWriterOptions {
  readonly region: string;
  readonly server: string;
  readonly policy: CheckpointPolicy;
  readonly role: RoleDuty;
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

/** Another server's checkpoint younger than this share of the interval is enough. */
const ENOUGH_SHARE = 0.8;

/**
 * Signs the heads of the chains that have changed and stores them away from the database, so that a log that is cut off,
 * set back or written anew can be told from what was there. One server at a time does: whoever finds that another one
 * has been there lately waits. Before the first checkpoint of an epoch it declares what was lost with the one before; and
 * before it follows a checkpoint of an earlier epoch it looks again, for a number that is followed is taken by nobody else.
 */
export class CheckpointWriter {
  readonly #options: CheckpointWriterOptions;
  readonly #job: BackgroundJob;
  #comparedEpoch = 0;
  #provenMs: number;
  #late = false;
  #setBack: ReadonlySet<string> = new Set();

  constructor(options: CheckpointWriterOptions) {
    this.#options = options;
    this.#provenMs = options.clock.nowMs();
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
      this.#provenMs = clock.nowMs();
      return;
    }
    const expected = { epoch: verdict.epoch, region };
    try {
      if (this.#comparedEpoch !== expected.epoch) {
        if (!(await this.#declareLosses(await store.newestBefore(expected.epoch), expected))) return;
        this.#comparedEpoch = expected.epoch;
      }
      if (await this.#checkpoint(expected)) this.#provenMs = clock.nowMs();
    } finally {
      this.#tellWhenLate();
    }
  }

  /** False when another epoch has begun meanwhile. */
  async #declareLosses(inherited: readonly StoredCheckpoint[], expected: ExpectedEpoch): Promise<boolean> {
    const { audit, log, server } = this.#options;
    if (inherited.length === 0) return true;
    const remembered = await this.#believed(inherited);
    for (const lost of await audit.missingOf(remembered)) {
      const outcome = await audit.declareGap(lost, expected);
      if (outcome.kind !== 'done') return false;
      const { chain, epoch, seq } = lost;
      if (outcome.result === 'declared') {
        const announce = `${server} declares audit events of ${chain} up to ${seq} in epoch ${epoch} as lost with a region`;
        log.warn({ announce, audit: 'audit_gap', chain, epoch, seq });
      } else if (outcome.result === 'contradicted') {
        const text = `the audit log has another event ${seq} of ${chain} than a checkpoint of epoch ${epoch} says: verify it`;
        log.error({ alert: 'audit-contradicted', chain, epoch, seq }, text);
      }
    }
    return true;
  }

  /** Only what our own keys signed is evidence of a loss. */
  async #believed(checkpoints: readonly StoredCheckpoint[]): Promise<RememberedEvent[]> {
    const remembered: RememberedEvent[] = [];
    for (const { jws } of checkpoints) {
      const statement = await this.#options.readStatement(jws);
      if (statement.kind !== 'checkpoint') continue;
      const { chain, epoch, era, seq, hash } = statement;
      remembered.push({ chain, epoch, era, seq, hash, jws });
    }
    return remembered;
  }

  /** True when everything is covered that there was. */
  async #checkpoint(expected: ExpectedEpoch): Promise<boolean> {
    const { audit, store, policy } = this.#options;
    let state = await audit.state();
    const { checkpoints, idleMs } = await store.newest(state.heads.map(({ chain }) => chain));
    let plan = planCheckpoints(state.heads, checkpoints, expected.epoch);
    if (plan.setBack.length > 0) {
      // Another server may have signed more since the log was looked at: what is shorter after that is set back.
      state = await audit.state();
      plan = planCheckpoints(state.heads, checkpoints, expected.epoch);
    }
    const { due, setBack } = plan;
    this.#tellSetBack(setBack.map(({ head }) => head.chain));
    if (due.length === 0) return true;
    // Another server has been here; its next round, or ours, covers the rest.
    if (idleMs < policy.everyMs * ENOUGH_SHARE) return true;
    // A server of an earlier epoch may have stored one since the losses were declared: its last word was on its way.
    const inherited = due.flatMap(({ follows }) => (follows && follows.epoch < expected.epoch ? follows : []));
    if (!(await this.#declareLosses(inherited, expected))) return false;
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

  #tellSetBack(chains: readonly string[]): void {
    const { log } = this.#options;
    for (const chain of chains) {
      if (this.#setBack.has(chain)) continue;
      const text = `${chain} of the audit log is shorter than a checkpoint of this epoch says: it was cut off or set back`;
      log.error({ alert: 'audit-set-back', chain }, text);
    }
    this.#setBack = new Set(chains);
  }

  #tellWhenLate(): void {
    const { clock, policy, metrics, log } = this.#options;
    const unprovenMs = clock.nowMs() - this.#provenMs;
    metrics.auditUnproven.set(unprovenMs / 1000);
    const late = unprovenMs > policy.lateAfterMs;
    if (late && !this.#late) {
      const text = `no checkpoint of the audit log was stored for ${Math.round(unprovenMs / 1000)} s`;
      log.warn({ alert: 'audit-unproven', unprovenMs }, text);
    }
    this.#late = late;
  }
}
