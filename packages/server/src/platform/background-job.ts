import type { Logger } from 'pino';
import type { RoleVerdict } from '../epochs/core/role';
import { DatabaseFailure } from './database-failure';
import { Loop } from './loop';
import type { Metrics } from './metrics';
import type { Timers, WaitPurpose } from './timers';

export interface JobReport {
  /** The label `job` of `evergrant_job_failures_total`. */
  readonly name: string;
  /** Logged for a failure, for example `the sweep failed`. */
  readonly failureMessage: string;
  /** Level of a retryable failure. @default debug */
  readonly retryableLevel?: 'debug' | 'warn' | undefined;
  /** Logged at `info` when a step succeeds again. @default nothing */
  readonly recoveryMessage?: string | undefined;
  readonly metrics: Pick<Metrics, 'jobFailures'>;
  readonly log: Pick<Logger, 'debug' | 'info' | 'warn' | 'error'>;
}

const SEVERITY = { debug: 1, warn: 2, error: 3 } as const;

/**
 * Counts each failure of a job, and logs the first of a series. A more severe failure in the same series is logged too.
 */
export class JobFailures {
  readonly #report: JobReport;
  #loggedSeverity = 0;

  constructor(report: JobReport) {
    this.#report = report;
  }

  failed(error: unknown): void {
    const { name, failureMessage, retryableLevel = 'debug', metrics, log } = this.#report;
    metrics.jobFailures.inc({ job: name });
    const level = error instanceof DatabaseFailure && error.retryable ? retryableLevel : 'error';
    if (SEVERITY[level] <= this.#loggedSeverity) return;
    this.#loggedSeverity = SEVERITY[level];
    log[level]({ job: name, failure: error instanceof Error ? error.message : error }, failureMessage);
  }

  succeeded(): void {
    const { recoveryMessage, log } = this.#report;
    if (this.#loggedSeverity > 0 && recoveryMessage !== undefined) log.info(recoveryMessage);
    this.#loggedSeverity = 0;
  }
}

interface JobTiming {
  /** Pause after each step, in milliseconds. */
  readonly everyMs: number | (() => number);
  /** @default the process's own */
  readonly timers?: Timers | undefined;
  /** What the pause waits for; simulated timers may stretch it. */
  readonly purpose?: (() => WaitPurpose) | undefined;
}

type JobStep =
  | { readonly onlyWhileGranting?: undefined; readonly step: () => Promise<void> }
  /** The step runs only while this server grants, and receives the epoch. */
  | {
      readonly onlyWhileGranting: { verdict(): RoleVerdict };
      readonly step: (epoch: number) => Promise<void>;
    };

export type BackgroundJobOptions = JobReport & JobTiming & JobStep;

/**
 * Repeats a step until it is stopped. A step that rejects is counted and logged, and repeated after the usual pause.
 */
export class BackgroundJob {
  readonly #loop: Loop;
  readonly #failures: JobFailures;

  constructor(options: BackgroundJobOptions) {
    const { everyMs, timers, purpose } = options;
    this.#failures = new JobFailures(options);
    this.#loop = new Loop(
      () => this.#run(options),
      typeof everyMs === 'number' ? () => everyMs : everyMs,
      timers,
      purpose,
    );
  }

  /** Resolves when the first step has ended. */
  start(): Promise<void> {
    return this.#loop.start();
  }

  /** Runs the step now, or once more immediately after the running one. */
  kick(): void {
    this.#loop.kick();
  }

  /** Resolves when no step is running. */
  stop(): Promise<void> {
    return this.#loop.stop();
  }

  async #run(job: JobStep): Promise<void> {
    try {
      if (job.onlyWhileGranting === undefined) {
        await job.step();
      } else {
        const verdict = job.onlyWhileGranting.verdict();
        if (verdict.kind !== 'granting') return;
        await job.step(verdict.epoch);
      }
      this.#failures.succeeded();
    } catch (error) {
      this.#failures.failed(error);
    }
  }
}
