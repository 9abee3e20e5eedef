/** A thread of the crew: runs its share of the seeds and reports. */
import { parentPort, workerData } from 'node:worker_threads';
import { run } from './run';
import { drawScenario } from './scenario/draw';
import { count, noTotals } from './totals';
import type { Failure, Share } from './worker-pool';

const REPORT_EVERY_MS = 1_000;

async function work({ from, to, every, without, theme, mending }: Share): Promise<void> {
  const rules = new Set(without);
  let report = { totals: noTotals(), failures: [] as Failure[] };
  let toldAtMs = performance.now();
  const tell = (): void => {
    parentPort?.postMessage(report);
    report = { totals: noTotals(), failures: [] };
    toldAtMs = performance.now();
  };
  for (let seed = from; seed < to; seed += every) {
    const result = await run(drawScenario(seed, theme), { without: rules, mending });
    count(report.totals, result);
    if (result.broken) report.failures.push({ seed, ...result.broken });
    if (result.broken || performance.now() - toldAtMs > REPORT_EVERY_MS) tell();
  }
  tell();
}

// A failure that is expected needs no stack, and making one costs more than all the rest.
Error.stackTraceLimit = 0;
void work(workerData as Share);
