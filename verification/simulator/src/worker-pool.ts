import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { InvariantName } from './checkers/violations';
import type { Rule } from './mutations';
import type { FaultProfile } from './scenario/profiles';
import { merge, noTotals, type Totals } from './totals';

export interface Failure {
  readonly seed: number;
  readonly invariant: InvariantName;
  readonly detail: string;
}

/** One worker's part of a range: every `every`th seed. */
export interface WorkerTask {
  readonly from: number;
  readonly to: number;
  readonly every: number;
  readonly profile: FaultProfile | undefined;
  readonly checksLiveness: boolean;
  readonly disabled: readonly Rule[];
}

export interface Report {
  readonly totals: Totals;
  readonly failures: readonly Failure[];
}

export interface WorkerPoolOptions {
  readonly from: number;
  readonly seeds: number;
  readonly workers: number;
  readonly disabled: readonly Rule[];
  readonly failuresMax: number;
  /** @default the profile that each seed draws */
  readonly profile?: FaultProfile | undefined;
  readonly checksLiveness: boolean;
  /** Stops after this time even if seeds are left. */
  readonly withinMs?: number | undefined;
  readonly onProgress: (totals: Totals, failures: readonly Failure[]) => void;
}

const YOUNG_GENERATION_MB = 96;

/** Runs a range of seeds on several threads. Resolves when all have run, `failuresMax` have failed, or time is up. */
export function runWorkerPool(options: WorkerPoolOptions): Promise<{ totals: Totals; failures: readonly Failure[] }> {
  const { from, seeds, workers, disabled, profile, checksLiveness, failuresMax, withinMs, onProgress } = options;
  const totals = noTotals();
  const failures: Failure[] = [];
  return new Promise((resolve, reject) => {
    let working = 0;
    const pool: Worker[] = [];
    const end = (): void => {
      clearTimeout(timer);
      for (const worker of pool) void worker.terminate();
      resolve({ totals, failures: failures.sort((one, other) => one.seed - other.seed) });
    };
    const timer = withinMs === undefined ? undefined : setTimeout(end, withinMs);
    for (let number = 0; number < workers; number++) {
      const task: WorkerTask = {
        from: from + number,
        to: from + seeds,
        every: workers,
        disabled,
        profile,
        checksLiveness,
      };
      const worker = new Worker(join(__dirname, 'worker.js'), {
        workerData: task,
        // A run's objects live briefly: with a large young generation hardly any is copied.
        resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
      });
      pool.push(worker);
      working += 1;
      worker.on('message', (report: Report) => {
        merge(totals, report.totals);
        failures.push(...report.failures);
        onProgress(totals, failures);
        if (failures.length >= failuresMax) end();
      });
      worker.on('error', reject);
      worker.on('exit', () => {
        working -= 1;
        if (working === 0) end();
      });
    }
  });
}
