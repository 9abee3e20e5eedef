import { setTimeout as wait } from 'node:timers/promises';
import type { CycleOutcome } from '@evergrant/controller/cycle';

export interface SchedulerOptions {
  readonly cycle: () => Promise<CycleOutcome>;
  readonly sampleEveryMs: number;
  readonly stepEveryMs: number;
  /** Whether an operator waits for an answer: then the next cycle comes at once. */
  readonly hasPendingRequest: () => Promise<boolean>;
  /** Told of every outcome, and of what a cycle threw. */
  readonly report: (outcome: CycleOutcome | { readonly kind: 'failed'; readonly error: unknown }) => void;
}

/** The end waits no longer for a cycle: whatever it leaves half done, the next controller finishes. */
const CLOSE_MS_MAX = 5_000;
/** How often it is looked whether an operator waits. */
const ASK_EVERY_MS = 1_000;

/** Runs cycles one after the other, never two at once: a sample's interval apart, or a step's during an operation. */
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

  /** Until the time for the next cycle has come, or an operator waits. */
  async #rest(untilMs: number): Promise<void> {
    const { signal } = this.#stopping;
    for (;;) {
      const leftMs = Math.max(0, untilMs - performance.now());
      await wait(Math.min(leftMs, ASK_EVERY_MS), undefined, { signal }).catch(() => undefined);
      if (signal.aborted || leftMs <= ASK_EVERY_MS) return;
      // That the store cannot be read is for the cycle to say.
      if (await this.#options.hasPendingRequest().catch(() => false)) return;
    }
  }

  async #once(): Promise<number> {
    const { cycle, report, sampleEveryMs, stepEveryMs } = this.#options;
    try {
      const outcome = await cycle();
      report(outcome);
      // After a conflict the other controller may be in an operation; the jitter gets the two out of step.
      if (outcome.kind === 'conflict') return stepEveryMs * (1 + Math.random());
      return 'operating' in outcome && outcome.operating ? stepEveryMs : sampleEveryMs;
    } catch (error) {
      // A broken invariant has acted on nothing; ending here would leave the region without its watcher.
      report({ kind: 'failed', error });
      return sampleEveryMs;
    }
  }
}
