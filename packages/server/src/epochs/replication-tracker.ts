import { lsnBytes } from '@evergrant/core/lsn';
import type { Logger } from 'pino';
import { AcknowledgedSeqs } from '../granting/core/escrow';
import { JobFailures } from '../platform/background-job';
import type { MonotonicClock } from '../platform/clock';
import type { Metrics } from '../platform/metrics';
import { PROCESS_TIMERS, type Timers, wait } from '../platform/timers';
import type { FollowerSnapshot, ReplicationStore } from './store';

/** While somebody waits; while nobody does and something is still under way; while the follower is away. */
const POLL_EVERY_MS = { waitedFor: 5, underWay: 20, gone: 250 };

/** What is wanted of the follower: a position of the log, or a pool's grants up to a number. */
interface ReplicationTarget {
  readonly epoch: number;
  readonly lsn: string;
  readonly grants?: { readonly poolId: number; readonly seq: number; readonly borrowed: boolean };
}

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
  /** False when there is no other region to lose anything to. */
  readonly followerExpected: boolean;
  readonly clock: MonotonicClock;
  readonly metrics: Metrics;
  readonly log: Logger;
  /** @default ACKNOWLEDGEMENT_POLICY */
  readonly policy?: AcknowledgementPolicy | undefined;
  /** @default the process's own */
  readonly timers?: Timers | undefined;
}

/**
 * What the other region's follower has flushed (S2): remembered by pool and number for the present epoch, and waited for.
 * One look answers all who wait. While nothing is under way nothing is looked at.
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

  /** What is known now; until a look has shown otherwise, the follower is taken to be there. */
  snapshot(epoch: number, poolId: number): FollowerSnapshot {
    const { policy = ACKNOWLEDGEMENT_POLICY } = this.#options;
    return { ackedSeq: this.#of(epoch).of(poolId), streaming: this.#streaming || !policy.needsStreaming };
  }

  /** A commit, after which the pool's number was `seq` and the log was flushed up to `lsn`. */
  recordCommit({ epoch, poolId, seq, lsn }: { epoch: number; poolId: number; seq: number; lsn: string }): void {
    if (!this.#options.followerExpected) return;
    this.#of(epoch).note(poolId, { seq, walBytes: lsnBytes(lsn) });
    if (!this.#seqs.isComplete) this.#poll();
  }

  /** Resolves to whether it was acknowledged in time. Without evidence it was not. */
  async waitFor(wanted: ReplicationTarget, { withinMs }: { withinMs: number }): Promise<boolean> {
    const { clock, metrics, followerExpected, policy = ACKNOWLEDGEMENT_POLICY } = this.#options;
    if (!policy.mustReach(wanted)) return true;
    // What was known when the grant was decided is a transaction old: it may have been acknowledged meanwhile.
    if (!followerExpected || this.#isAcknowledged(wanted)) return true;
    const stopTimer = metrics.acknowledgementSeconds.startTimer();
    const reached = await new Promise<boolean>((answer) => {
      const untilMs = clock.nowMs() + withinMs;
      this.#waiting.push({ ...wanted, walBytes: lsnBytes(wanted.lsn), untilMs, answer });
      this.#poll();
    });
    stopTimer({ outcome: reached ? 'reached' : 'too_late' });
    return reached;
  }

  /** What was acknowledged in one epoch says nothing about the next: its log may be another. */
  #of(epoch: number): AcknowledgedSeqs {
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
    if (this.#waiting.length > 0) return POLL_EVERY_MS.waitedFor;
    return this.#streaming ? POLL_EVERY_MS.underWay : POLL_EVERY_MS.gone;
  }

  #apply(flushed: bigint | undefined): void {
    this.#streaming = flushed !== undefined;
    if (flushed !== undefined) this.#seqs.advance(flushed);
    const nowMs = this.#options.clock.nowMs();
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const each of waiting) {
      if (this.#has(each, flushed)) each.answer(true);
      else if (each.untilMs <= nowMs) each.answer(false);
      else this.#waiting.push(each);
    }
  }

  #has(wanted: WaitingTarget, flushed: bigint | undefined): boolean {
    return (flushed !== undefined && wanted.walBytes <= flushed) || this.#isAcknowledged(wanted);
  }

  #isAcknowledged({ epoch, grants }: ReplicationTarget): boolean {
    return grants !== undefined && this.#of(epoch).of(grants.poolId) >= grants.seq;
  }

  /** Whatever keeps us from knowing, what is not known is not acknowledged. */
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
