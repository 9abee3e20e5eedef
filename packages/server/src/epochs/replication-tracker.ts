import { lsnBytes } from '@evergrant/core/lsn';
import type { Logger } from 'pino';
import { AcknowledgedSeqs } from '../granting/core/escrow';
import { JobFailures } from '../platform/background-job';
import type { MonotonicClock } from '../platform/clock';
import type { Metrics } from '../platform/metrics';
import { PROCESS_TIMERS, type Timers, wait } from '../platform/timers';
import type { FollowerSnapshot, ReplicationStore } from './store';

/** Poll interval while a request waits, while acknowledgements are outstanding, and while the follower is gone. */
const POLL_EVERY_MS = { requestWaiting: 5, outstanding: 20, followerGone: 250 };

/** What the follower has to reach: a position in the write-ahead log, or a pool's grants up to a number. */
interface ReplicationTarget {
  readonly epoch: number;
  readonly lsn: string;
  readonly grants?: { readonly poolId: number; readonly seq: number; readonly borrowed: boolean };
}

/** With a longer delay an answer that waits for the follower would time out: see `ACKNOWLEDGED_WITHIN_MS`. */
const FOLLOWER_LAG_MAX_MS = 4_000;

/** Which answers depend on the follower (S2). */
export interface AcknowledgementPolicy {
  /** Whether an answer waits until the follower has flushed the target. */
  mustReach(target: ReplicationTarget): boolean;
  /** Whether a follower that does not stream limits what is granted. */
  readonly needsStreaming: boolean;
}

export const ACKNOWLEDGEMENT_POLICY: AcknowledgementPolicy = { mustReach: () => true, needsStreaming: true };

interface WaitingTarget extends ReplicationTarget {
  readonly walBytes: bigint;
  readonly untilMs: number;
  readonly answer: (reached: boolean) => void;
}

interface ReplicationTrackerOptions {
  readonly replication: Pick<ReplicationStore, 'readAcknowledged'>;
  /** False when the deployment has no other region. */
  readonly followerExpected: boolean;
  readonly clock: MonotonicClock;
  readonly metrics: Metrics;
  readonly log: Logger;
  /** The present delay of the follower's acknowledgements. @default none */
  readonly followerLagMs?: (() => number) | undefined;
  /** @default ACKNOWLEDGEMENT_POLICY */
  readonly policy?: AcknowledgementPolicy | undefined;
  /** @default the process's own */
  readonly timers?: Timers | undefined;
}

/**
 * Tracks what the other region's follower has flushed (S2), by pool and grant number of the current epoch, and lets
 * requests wait for it. One poll serves every waiting request. Nothing is polled while no acknowledgement is
 * outstanding.
 */
export class ReplicationTracker {
  readonly #options: ReplicationTrackerOptions;
  readonly #failures: JobFailures;
  #epoch = 0;
  #seqs = new AcknowledgedSeqs();
  #waiting: WaitingTarget[] = [];
  #streaming = true;
  #polling = false;

  constructor(options: ReplicationTrackerOptions) {
    this.#options = options;
    const { log, metrics } = options;
    const failureMessage = "the follower's position could not be read";
    this.#failures = new JobFailures({ name: 'replication_tracker', failureMessage, log, metrics });
  }

  /** The follower's state by the last poll. Until a poll shows otherwise, the follower counts as answering in time. */
  snapshot(epoch: number, poolId: number): FollowerSnapshot {
    const { policy = ACKNOWLEDGEMENT_POLICY, followerLagMs = () => 0 } = this.#options;
    const answersInTime = this.#streaming && followerLagMs() < FOLLOWER_LAG_MAX_MS;
    return { ackedSeq: this.#seqsOf(epoch).of(poolId), answersInTime: answersInTime || !policy.needsStreaming };
  }

  /** Polls once, so that the next snapshot is fresh. */
  async refresh(): Promise<void> {
    if (this.#options.followerExpected) this.#apply(await this.#readFlushed());
  }

  /** Records a commit, after which the pool's grant number is `seq` and the log is flushed up to `lsn`. */
  recordCommit({ epoch, poolId, seq, lsn }: { epoch: number; poolId: number; seq: number; lsn: string }): void {
    if (!this.#options.followerExpected) return;
    this.#seqsOf(epoch).note(poolId, { seq, walBytes: lsnBytes(lsn) });
    if (!this.#seqs.isComplete) this.#poll();
  }

  /** Resolves to true when the follower reached the target in time, and to false without evidence of it. */
  async waitFor(target: ReplicationTarget, { withinMs }: { withinMs: number }): Promise<boolean> {
    const { clock, metrics, followerExpected, policy = ACKNOWLEDGEMENT_POLICY } = this.#options;
    if (!policy.mustReach(target)) return true;
    // The grant was decided with a snapshot from before its transaction. The follower may have reached it since.
    if (!followerExpected || this.#isAcknowledged(target)) return true;
    const stopTimer = metrics.acknowledgementSeconds.startTimer();
    const reached = await new Promise<boolean>((answer) => {
      const untilMs = clock.nowMs() + withinMs;
      this.#waiting.push({ ...target, walBytes: lsnBytes(target.lsn), untilMs, answer });
      this.#poll();
    });
    stopTimer({ outcome: reached ? 'reached' : 'too_late' });
    return reached;
  }

  /** Acknowledgements of one epoch are not valid in the next one, whose log may be a different one. */
  #seqsOf(epoch: number): AcknowledgedSeqs {
    if (epoch > this.#epoch) {
      this.#epoch = epoch;
      this.#seqs = new AcknowledgedSeqs();
    }
    return epoch === this.#epoch ? this.#seqs : new AcknowledgedSeqs();
  }

  #poll(): void {
    if (!this.#polling) void this.#pollWhileNeeded();
  }

  async #pollWhileNeeded(): Promise<void> {
    this.#polling = true;
    while (this.#waiting.length > 0 || !this.#seqs.isComplete) {
      this.#apply(await this.#readFlushed());
      await wait(this.#options.timers ?? PROCESS_TIMERS, this.#pauseMs(), { background: true });
    }
    this.#polling = false;
  }

  #pauseMs(): number {
    if (this.#waiting.length > 0) return POLL_EVERY_MS.requestWaiting;
    return this.#streaming ? POLL_EVERY_MS.outstanding : POLL_EVERY_MS.followerGone;
  }

  #apply(flushed: bigint | undefined): void {
    this.#streaming = flushed !== undefined;
    if (flushed !== undefined) this.#seqs.advance(flushed);
    const nowMs = this.#options.clock.nowMs();
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const each of waiting) {
      if (this.#isReached(each, flushed)) each.answer(true);
      else if (each.untilMs <= nowMs) each.answer(false);
      else this.#waiting.push(each);
    }
  }

  #isReached(target: WaitingTarget, flushed: bigint | undefined): boolean {
    return (flushed !== undefined && target.walBytes <= flushed) || this.#isAcknowledged(target);
  }

  #isAcknowledged({ epoch, grants }: ReplicationTarget): boolean {
    return grants !== undefined && this.#seqsOf(epoch).of(grants.poolId) >= grants.seq;
  }

  /** Any failure to read the position counts as not acknowledged. */
  async #readFlushed(): Promise<bigint | undefined> {
    try {
      const lsn = await this.#options.replication.readAcknowledged();
      this.#failures.succeeded();
      return lsn === undefined ? undefined : lsnBytes(lsn);
    } catch (error) {
      this.#failures.failed(error);
      return undefined;
    }
  }
}
