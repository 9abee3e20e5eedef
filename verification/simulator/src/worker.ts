/** A thread of the worker pool: runs its seeds and reports the counts. */
import { parentPort, workerData } from 'node:worker_threads';
import { run } from './run';
import { drawScenario } from './scenario/draw';
import { count, noTotals } from './totals';
import type { Failure, WorkerTask } from './worker-pool';

const REPORT_EVERY_MS = 1_000;

async function work({ from, to, every, disabled, profile, checksLiveness }: WorkerTask): Promise<void> {
  const rules = new Set(disabled);
  let report = { totals: noTotals(), failures: [] as Failure[] };
  let reportedAtMs = performance.now();
  const post = (): void => {
    parentPort?.postMessage(report);
    report = { totals: noTotals(), failures: [] };
    reportedAtMs = performance.now();
  };
  for (let seed = from; seed < to; seed += every) {
    const result = await run(drawScenario(seed, profile), { disabled: rules, checksLiveness });
    count(report.totals, result);
    if (result.violation) report.failures.push({ seed, ...result.violation });
    if (result.violation || performance.now() - reportedAtMs > REPORT_EVERY_MS) post();
  }
  post();
}

// Violations are expected, and a stack trace costs more than the rest of a run.
Error.stackTraceLimit = 0;
void work(workerData as WorkerTask);
