import { duration, toWidth } from '@evergrant/core/format';
import pc from 'picocolors';

/** A promise of the product (or of the scenario), and whether it held. */
export interface Kept {
  readonly promise: string;
  readonly held: boolean;
  /** The figures behind the answer. */
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
  /** Times are told relative to the fault: the mark named so. */
  readonly timeline: readonly { what: string; afterFaultMs: number }[];
  /** From the fault to the first grant of the new active region; absent where nothing failed over. */
  readonly recoveryTimeMs: number | undefined;
  readonly figures: Readonly<Record<string, number | string>>;
  readonly promises: readonly Kept[];
  /** Set when the drill itself could not be carried through. */
  readonly broken: string | undefined;
  /** Where the world's logs were kept, of a drill that did not pass. */
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

/** The report as people read it. */
export function reportText(report: DrillReport): string {
  const verdict = report.passed ? pc.green('every promise held') : pc.red('NOT PASSED');
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
      const mark = held ? pc.green('held  ') : pc.red('BROKEN');
      return `  ${mark}  ${promise}${detail ? pc.dim(`: ${detail}`) : ''}`;
    }),
  );
  if (report.broken) lines.push('', pc.red(`  the drill could not be carried through: ${report.broken}`));
  if (report.logs) lines.push('', `  logs: ${report.logs}`);
  return lines.join('\n');
}
