import { setTimeout as wait } from 'node:timers/promises';
import type { CycleOutcome } from '@evergrant/controller/cycle';

export interface SchedulerOptions {
  readonly cycle: () => Promise<CycleOutcome>;
  readonly sampleEveryMs: number;
  readonly stepEveryMs: number;
  /** Whether an operator's request is pending. The scheduler then starts the next cycle at once. */
  readonly hasPendingRequest: () => Promise<boolean>;
  /** Receives every outcome and every error that a cycle threw. */
  readonly report: (outcome: CycleOutcome | { readonly kind: 'failed'; readonly error: unknown }) => void;
}

/** Limit of the wait for a running cycle on close. The next controller completes an interrupted step. */
const CLOSE_MS_MAX = 5_000;
/** Interval of the check for a pending request. */
const ASK_EVERY_MS = 1_000;

/**
 * Runs cycles one after another, never two at once. The interval is that of samples, or of steps during an operation.
 */
export class Scheduler {
  readonly #options: SchedulerOptions;
  readonly #stopping = new AbortController();
  #running: Promise<void> = Promise.resolve();

  constructor(options: SchedulerOptions) {
    this.#options = options;
  }

  start(): void {
    this.#running = this.#run();
  }

  async close(): Promise<void> {
    this.#stopping.abort();
    await Promise.race([this.#running, wait(CLOSE_MS_MAX, undefined, { ref: false })]);
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      const startedMs = performance.now();
      const intervalMs = await this.#once();
      await this.#rest(startedMs + intervalMs);
    }
  }

  /** Waits until the next cycle is due or an operator's request is pending. */
  async #rest(untilMs: number): Promise<void> {
    const { signal } = this.#stopping;
    for (;;) {
      const leftMs = Math.max(0, untilMs - performance.now());
      await wait(Math.min(leftMs, ASK_EVERY_MS), undefined, { signal }).catch(() => undefined);
      if (signal.aborted || leftMs <= ASK_EVERY_MS) return;
      // The cycle reports that the store cannot be read.
      if (await this.#options.hasPendingRequest().catch(() => false)) return;
    }
  }

  async #once(): Promise<number> {
    const { cycle, report, sampleEveryMs, stepEveryMs } = this.#options;
    try {
      const outcome = await cycle();
      report(outcome);
      // After a conflict the other controller may execute an operation. The jitter separates the two controllers'
      // cycles.
      if (outcome.kind === 'conflict') return stepEveryMs * (1 + Math.random());
      return 'operating' in outcome && outcome.operating ? stepEveryMs : sampleEveryMs;
    } catch (error) {
      // A broken invariant throws before any action. The loop continues, because without it the region would have no
      // monitor.
      report({ kind: 'failed', error });
      return sampleEveryMs;
    }
  }
}
