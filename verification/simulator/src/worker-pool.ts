import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { PromiseName } from './checkers/grant-checker';
import type { Rule } from './mutations';
import type { Theme } from './scenario/profiles';
import { merge, noTotals, type Totals } from './totals';

export interface Failure {
  readonly seed: number;
  readonly promise: PromiseName;
  readonly detail: string;
}

/** Every `every`th seed of a range, for one worker. */
export interface Share {
  readonly from: number;
  readonly to: number;
  readonly every: number;
  readonly theme: Theme | undefined;
  readonly mending: boolean;
  readonly without: readonly Rule[];
}

export interface Report {
  readonly totals: Totals;
  readonly failures: readonly Failure[];
}

export interface CrewOptions {
  readonly from: number;
  readonly seeds: number;
  readonly workers: number;
  readonly without: readonly Rule[];
  readonly failuresMax: number;
  /** @default whichever a seed draws */
  readonly theme?: Theme | undefined;
  readonly mending: boolean;
  /** Ends after so long, whatever is left. */
  readonly withinMs?: number | undefined;
  readonly onProgress: (totals: Totals, failures: readonly Failure[]) => void;
}

const YOUNG_GENERATION_MB = 96;

/** Runs a range of seeds on several threads. Resolves when all are run, or enough have failed. */
export function runCrew(options: CrewOptions): Promise<{ totals: Totals; failures: readonly Failure[] }> {
  const { from, seeds, workers, without, theme, mending, failuresMax, withinMs, onProgress } = options;
  const totals = noTotals();
  const failures: Failure[] = [];
  return new Promise((resolve, reject) => {
    let working = 0;
    const crew: Worker[] = [];
    const end = (): void => {
      clearTimeout(timer);
      for (const worker of crew) void worker.terminate();
      resolve({ totals, failures: failures.sort((one, other) => one.seed - other.seed) });
    };
    const timer = withinMs === undefined ? undefined : setTimeout(end, withinMs);
    for (let number = 0; number < workers; number++) {
      const share: Share = { from: from + number, to: from + seeds, every: workers, without, theme, mending };
      const worker = new Worker(join(__dirname, 'worker.js'), {
        workerData: share,
        // What a run makes is soon forgotten: with room for it, hardly anything is copied.
        resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
      });
      crew.push(worker);
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
