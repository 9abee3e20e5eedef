import type { RunResult } from './run';

/** Sums over many runs. */
export interface Totals {
  seeds: number;
  simulatedMs: number;
  /** Idle part of `simulatedMs` that was skipped. */
  skippedMs: number;
  steps: number;
  grants: number;
  /** Runs in which the other region took over at least once. */
  failovers: number;
  readonly faults: Record<string, number>;
  readonly coverage: Record<string, number>;
}

export const noTotals = (): Totals => ({
  seeds: 0,
  simulatedMs: 0,
  skippedMs: 0,
  steps: 0,
  grants: 0,
  failovers: 0,
  faults: {},
  coverage: {},
});

export function count(
  totals: Totals,
  { simulatedMs, skippedMs, steps, grants, epoch, faults, coverage }: RunResult,
): void {
  totals.seeds += 1;
  totals.simulatedMs += simulatedMs;
  totals.skippedMs += skippedMs;
  totals.steps += steps;
  totals.grants += grants;
  totals.failovers += epoch > 1 ? 1 : 0;
  add(totals.faults, faults);
  add(totals.coverage, coverage);
}

export function merge(totals: Totals, other: Totals): void {
  totals.seeds += other.seeds;
  totals.simulatedMs += other.simulatedMs;
  totals.skippedMs += other.skippedMs;
  totals.steps += other.steps;
  totals.grants += other.grants;
  totals.failovers += other.failovers;
  add(totals.faults, other.faults);
  add(totals.coverage, other.coverage);
}

function add(to: Record<string, number>, from: Readonly<Record<string, number>>): void {
  for (const [key, number] of Object.entries(from)) to[key] = (to[key] ?? 0) + number;
}
