import { cpus } from 'node:os';
import pc from 'picocolors';
import type { AssertionResult } from './assertions';
import { type BenchCase, TOPOLOGIES } from './cases';
import { escrowTable } from './escrow-report';
import { failoverTable } from './failover-report';
import type { FailoverSummary } from './failovers';
import { row } from './format';
import type { IdleSessions } from './idle-sessions';
import type { BenchOptions } from './options';
import type { CaseSummary } from './summary';

export interface BenchReport {
  readonly cores: number;
  readonly node: string;
  readonly connections: number;
  readonly rounds: number;
  readonly seconds: number;
  readonly durability: Readonly<Record<string, string>>;
  readonly cases: readonly CaseSummary[];
  readonly idleSessions: IdleSessions | undefined;
  readonly failovers: FailoverSummary | undefined;
  readonly rules: readonly AssertionResult[];
  readonly held: boolean;
}

const DURABILITY = {
  'one server': 'fsync on, synchronous_commit on, no standby',
  'three servers': 'fsync on, synchronous_commit on, every commit flushed by a standby too, a follower streams',
  'far follower': 'three servers, and a link in front of the follower; latencies are of checkouts alone',
};

export function composeReport(
  { connections, rounds, seconds }: BenchOptions,
  {
    summaries,
    rules,
    idleSessions,
    failovers,
  }: {
    summaries: readonly CaseSummary[];
    rules: readonly AssertionResult[];
    idleSessions: IdleSessions | undefined;
    failovers: FailoverSummary | undefined;
  },
): BenchReport {
  return {
    cores: cpus().length,
    node: process.version,
    connections,
    rounds,
    seconds,
    durability: DURABILITY,
    cases: summaries,
    idleSessions,
    failovers,
    rules,
    held: rules.every(({ held }) => held),
  };
}

const COLUMNS = ['', 'per second', 'of commits', 'p50 ms', 'p95 ms', 'p99 ms', 'CPU us: server, db, load', 'statuses'];
const WIDTHS = [42, 10, 10, 7, 7, 7, 24, 0];

/** The report as text. */
export function benchReportText(report: BenchReport, cases: readonly BenchCase[]): string {
  const { connections, cores, rounds, seconds, rules } = report;
  const head = `${connections} connections, ${cores} cores for server, PostgreSQL and load together, medians of ${rounds} rounds of ${seconds} s`;
  const lines = ['', head];
  for (const topology of TOPOLOGIES) {
    const own = cases.filter((each) => each.topology === topology);
    if (own.length === 0) continue;
    lines.push('', pc.bold(`${topology}: ${DURABILITY[topology]}`));
    lines.push(...(topology === 'far follower' ? escrowTable(own, report) : caseTable(own, report)));
  }
  if (report.idleSessions) lines.push('', idleLine(report.idleSessions));
  if (report.failovers) lines.push('', ...failoverTable(report.failovers));
  lines.push('', ...rules.map(ruleLine));
  return lines.join('\n');
}

function caseTable(cases: readonly BenchCase[], report: BenchReport): string[] {
  const rows = cases.flatMap(({ name, what, against }) => {
    const summary = report.cases.find((each) => each.name === name);
    return summary ? row(cells(against === undefined ? `PostgreSQL alone: ${what}` : what, summary), WIDTHS) : [];
  });
  return [pc.dim(row(COLUMNS, WIDTHS)), ...rows];
}

function cells(what: string, summary: CaseSummary): string[] {
  const { perSecond, ratio, p50Ms, p95Ms, p99Ms, cpu, statuses } = summary;
  return [
    what,
    Math.round(perSecond).toLocaleString('en'),
    ratio === undefined ? '' : `${ratio.toFixed(2)} x`,
    ...[p50Ms, p95Ms, p99Ms].map((ms) => ms.toFixed(1)),
    cpu ? [cpu.serversUs, cpu.databasesUs, cpu.generatorUs].map(Math.round).join(', ') : '',
    Object.entries(statuses)
      .map(([status, times]) => `${status}: ${times.toLocaleString('en')}`)
      .join('  '),
  ];
}

function idleLine({ sessions, bytes, bytesPer10000 }: IdleSessions): string {
  const megabytes = (value: number | undefined): string =>
    value === undefined ? 'unknown' : `${(value / 1e6).toFixed(0)} MB`;
  return `  ${sessions.toLocaleString('en')} idle sessions take ${megabytes(bytes)} of one server: ${megabytes(bytesPer10000)} per 10,000`;
}

function ruleLine({ rule, held, detail }: AssertionResult): string {
  return `  ${held ? pc.green('held  ') : pc.red('FAILED')}  ${rule}${pc.dim(`: ${detail}`)}`;
}
