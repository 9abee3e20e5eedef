import { setTimeout as wait } from 'node:timers/promises';
import type { Logger } from 'pino';
import { walBytes } from '../core/wal';
import { DatabaseFailure, type LicenseDatabase, type MonotonicClock } from '../ports';
import type { Metrics } from './metrics';

const LOOK_EVERY_MS = 10;

interface Waiting {
  readonly bytes: bigint;
  readonly untilMs: number;
  readonly answer: (reached: boolean) => void;
}

interface AcknowledgementsOptions {
  readonly database: Pick<LicenseDatabase, 'readAcknowledged'>;
  readonly clock: MonotonicClock;
  readonly metrics: Metrics;
  readonly log: Logger;
}

/**
 * Waits until the other region's follower has flushed the log up to a position (S2). One look answers all who wait; while
 * nobody does, nothing is looked at.
 */
export class Acknowledgements {
  readonly #options: AcknowledgementsOptions;
  #waiting: Waiting[] = [];
  #looking = false;

  constructor(options: AcknowledgementsOptions) {
    this.#options = options;
  }

  /** Resolves to whether `lsn` was acknowledged in time. Without evidence it was not. */
  async reached(lsn: string, { withinMs }: { withinMs: number }): Promise<boolean> {
    const { clock, metrics } = this.#options;
    const stopTimer = metrics.acknowledgementSeconds.startTimer();
    const reached = await new Promise<boolean>((answer) => {
      this.#waiting.push({ bytes: walBytes(lsn), untilMs: clock.nowMs() + withinMs, answer });
      if (!this.#looking) void this.#lookWhileWaitedFor();
    });
    stopTimer({ outcome: reached ? 'reached' : 'too_late' });
    return reached;
  }

  async #lookWhileWaitedFor(): Promise<void> {
    this.#looking = true;
    while (this.#waiting.length > 0) {
      const flushed = await this.#acknowledged();
      this.#answer(flushed);
      if (this.#waiting.length > 0) await wait(LOOK_EVERY_MS);
    }
    this.#looking = false;
  }

  #answer(flushed: bigint | undefined): void {
    const nowMs = this.#options.clock.nowMs();
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const each of waiting) {
      if (flushed !== undefined && each.bytes <= flushed) each.answer(true);
      else if (each.untilMs <= nowMs) each.answer(false);
      else this.#waiting.push(each);
    }
  }

  /** Whatever keeps us from knowing, what is not known is not acknowledged. */
  async #acknowledged(): Promise<bigint | undefined> {
    try {
      const lsn = await this.#options.database.readAcknowledged();
      return lsn === undefined ? undefined : walBytes(lsn);
    } catch (error) {
      const level = error instanceof DatabaseFailure && error.retryable ? 'debug' : 'error';
      const failure = error instanceof Error ? error.message : error;
      this.#options.log[level]({ failure }, 'acknowledgements could not be looked at');
      return undefined;
    }
  }
}
