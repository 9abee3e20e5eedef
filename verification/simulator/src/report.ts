import { RULES, type Rule } from './mutations';
import type { RunResult } from './run';
import { drawScenario } from './scenario/draw';
import type { FaultProfile } from './scenario/profiles';
import { FAULT_KINDS, type Fault, type Scenario } from './scenario/scenario';
import type { Totals } from './totals';
import type { Failure } from './worker-pool';

const PHASES = [
  'watching',
  'latch',
  'fence',
  'drain',
  'promote',
  'verify',
  'open',
  'switch',
  'preflight',
  'archive_database',
];
const NUMBER = new Intl.NumberFormat('en');

/** A line with the counts of a search so far. */
export function progressLine(totals: Totals, elapsedMs: number): string {
  const seconds = elapsedMs / 1_000;
  const minutes = totals.simulatedMs / 60_000;
  return [
    `${NUMBER.format(totals.seeds)} seeds (${(totals.seeds / seconds).toFixed(1)}/s)`,
    `${NUMBER.format(Math.round(minutes))} simulated minutes (${NUMBER.format(Math.round(minutes / seconds))}/s)`,
    `${NUMBER.format(Math.round(totals.skippedMs / 60_000))} of them idle and skipped`,
    `${NUMBER.format(totals.steps)} steps, ${NUMBER.format(totals.grants)} grants and renewals`,
    `${NUMBER.format(totals.failovers)} with a failover`,
  ].join(', ');
}

export interface Search {
  readonly from: number;
  readonly disabled: readonly Rule[];
  readonly profile: FaultProfile | undefined;
  readonly elapsedMs: number;
  readonly totals: Totals;
  readonly failures: readonly Failure[];
}

/** The document of `--json`: the counts of a search and the whole scenario of each failure. */
export function jsonReport({ from, disabled, profile, elapsedMs, totals, failures }: Search): string {
  const scenarios = failures.map((failure) => ({ ...failure, scenario: drawScenario(failure.seed, profile) }));
  return JSON.stringify({ from, disabled, elapsedMs, ...totals, failures: scenarios }, null, 2);
}

/** A table of how often each fault was injected, in total and by phase. */
export function coverageTable({ faults, coverage }: Totals): string {
  const rows = FAULT_KINDS.map((kind) => {
    const cells = PHASES.map((phase) => String(coverage[`${phase} × ${kind}`] ?? 0).padStart(9));
    return `${kind.padEnd(20)} ${String(faults[kind] ?? 0).padStart(7)} ${cells.join(' ')}`;
  });
  const head = `${'fault'.padEnd(20)} ${'total'.padStart(7)} ${PHASES.map((phase) => phase.slice(0, 9).padStart(9)).join(' ')}`;
  return [head, ...rows].join('\n');
}

/** A summary of a scenario. */
export function scenarioText(scenario: Scenario): string {
  const { pools, rooms, serversPerRegion, controllers, leaseTtlMs, unprotectedAfterMs, aheadMs, faults } = scenario;
  const seats = pools.map(
    ({ seats, overdraft, escrow }) => `${seats}${overdraft ? `+${overdraft}` : ''} (escrow ${escrow})`,
  );
  return [
    `  pools of ${seats.join(', ')} seats, leases of ${leaseTtlMs / 1_000} s; ${rooms.length} installations`,
    `  ${serversPerRegion} server(s) a region, ${controllers} controller(s); unprotected after ${unprotectedAfterMs / 1_000} s`,
    ...(Object.keys(aheadMs).length > 0 ? [`  clocks ahead by ${JSON.stringify(aheadMs)} ms`] : []),
    ...faults.map((fault) => `  ${faultText(fault)}`),
  ].join('\n');
}

function faultText({ kind, where, when, forMs, untilPhase, amount }: Fault): string {
  const at = when.phase === undefined ? '' : `in ${when.phase}, or `;
  const until = untilPhase === undefined ? '' : `, or until ${untilPhase}`;
  const much = amount === 0 ? '' : ` (${Math.round(amount * 100) / 100})`;
  return `${at}at ${seconds(when.atMs)}: ${kind} ${where}${much} for ${seconds(forMs)}${until}`;
}

/** The trace of a run, one line per entry. */
export function traceText({ trace }: RunResult): string {
  return trace
    .map(({ atMs, source, text }) => `${seconds(atMs).padStart(12)}  ${source.padEnd(15)} ${text}`)
    .join('\n');
}

export const ruleText = (rule: Rule): string => `${rule} (${RULES[rule]})`;

const seconds = (ms: number): string => `${(ms / 1_000).toFixed(3)} s`;
