import { duration, toWidth } from '@evergrant/core/format';
import pc from 'picocolors';

/** The result of one check. Its fields are part of the JSON report. */
export interface CheckResult {
  readonly promise: string;
  readonly held: boolean;
  /** The measured values. */
  readonly detail: string;
}

export interface Mark {
  readonly what: string;
  /** Milliseconds since 1970. */
  readonly atMs: number;
}

export interface DrillReport {
  readonly scenario: string;
  readonly passed: boolean;
  readonly startedAt: string;
  readonly tookMs: number;
  /** Times relative to the mark named `fault`. */
  readonly timeline: readonly { what: string; afterFaultMs: number }[];
  /** From the fault to the first grant of the new active region; absent without a failover. */
  readonly recoveryTimeMs: number | undefined;
  readonly figures: Readonly<Record<string, number | string>>;
  readonly promises: readonly CheckResult[];
  /** Why the drill could not be completed, if it was not. */
  readonly broken: string | undefined;
  /** Folder with the logs of a drill that did not pass. */
  readonly logs: string | undefined;
}

export const FAULT = 'fault';

export function relativeTimeline(marks: readonly Mark[]): { what: string; afterFaultMs: number }[] {
  const fault = marks.find(({ what }) => what === FAULT)?.atMs ?? marks[0]?.atMs ?? 0;
  return [...marks]
    .sort((left, right) => left.atMs - right.atMs)
    .map(({ what, atMs }) => ({ what, afterFaultMs: Math.round(atMs - fault) }));
}

const signed = (ms: number): string => `${ms < 0 ? '-' : '+'}${(Math.abs(ms) / 1000).toFixed(2).padStart(7)} s`;

/** The report as text. */
export function reportText(report: DrillReport): string {
  const verdict = report.passed ? pc.green('all checks passed') : pc.red('FAILED');
  const lines = [
    '',
    `${pc.bold(report.scenario)}: ${verdict} ${pc.dim(`in ${duration(report.tookMs)}`)}`,
    '',
    ...report.timeline.map(({ what, afterFaultMs }) => `  ${pc.dim(signed(afterFaultMs))}  ${what}`),
  ];
  if (report.recoveryTimeMs !== undefined) {
    lines.push(
      '',
      `  recovery time (fault to first grant): ${pc.bold(`${(report.recoveryTimeMs / 1000).toFixed(2)} s`)}`,
    );
  }
  lines.push('', ...Object.entries(report.figures).map(([name, value]) => `  ${toWidth(name, 52)} ${value}`), '');
  lines.push(
    ...report.promises.map(({ promise, held, detail }) => {
      const mark = held ? pc.green('passed') : pc.red('FAILED');
      return `  ${mark}  ${promise}${detail ? pc.dim(`: ${detail}`) : ''}`;
    }),
  );
  if (report.broken) lines.push('', pc.red(`  the drill could not be completed: ${report.broken}`));
  if (report.logs) lines.push('', `  logs: ${report.logs}`);
  return lines.join('\n');
}
