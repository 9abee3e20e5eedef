import type { RunResult } from './run';

/** What many runs came to. */
export interface Totals {
  seeds: number;
  simulatedMs: number;
  /** Quiet times among them, which were leapt over. */
  leaptMs: number;
  steps: number;
  grants: number;
  /** Runs in which another region took over at least once. */
  failovers: number;
  readonly faults: Record<string, number>;
  readonly coverage: Record<string, number>;
}

export const noTotals = (): Totals => ({
  ...{ seeds: 0, simulatedMs: 0, leaptMs: 0, steps: 0, grants: 0, failovers: 0 },
  ...{ faults: {}, coverage: {} },
});

export function count(
  totals: Totals,
  { simulatedMs, leaptMs, steps, grants, epoch, faults, coverage }: RunResult,
): void {
  totals.seeds += 1;
  totals.simulatedMs += simulatedMs;
  totals.leaptMs += leaptMs;
  totals.steps += steps;
  totals.grants += grants;
  totals.failovers += epoch > 1 ? 1 : 0;
  add(totals.faults, faults);
  add(totals.coverage, coverage);
}

export function merge(totals: Totals, other: Totals): void {
  totals.seeds += other.seeds;
  totals.simulatedMs += other.simulatedMs;
  totals.leaptMs += other.leaptMs;
  totals.steps += other.steps;
  totals.grants += other.grants;
  totals.failovers += other.failovers;
  add(totals.faults, other.faults);
  add(totals.coverage, other.coverage);
}

function add(to: Record<string, number>, from: Readonly<Record<string, number>>): void {
  for (const [key, number] of Object.entries(from)) to[key] = (to[key] ?? 0) + number;
}
