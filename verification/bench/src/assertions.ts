import type { BenchCase } from './cases';
import type { FailoverSummary } from './failovers';
import { type CaseSummary, type Measurements, medianRatio } from './summary';

/** What must hold on any machine, fast or slow. */
export interface RuleVerdict {
  readonly rule: string;
  readonly held: boolean;
  readonly detail: string;
}

const SMALLEST = 1_000;
const LARGEST = 100_000;
/** Of a pool's throughput when it has a hundred times the seats. */
const SCALING_MIN = 0.9;

/** The verdicts on the cases that were measured; a rule whose cases were not is not asked. */
export function houseRules(
  cases: readonly BenchCase[],
  {
    summaries,
    measurements,
    failovers,
  }: { summaries: readonly CaseSummary[]; measurements: Measurements; failovers?: FailoverSummary | undefined },
): RuleVerdict[] {
  return [noServerError(summaries), ...scaling(cases, measurements), ...promises(failovers)];
}

function noServerError(summaries: readonly CaseSummary[]): RuleVerdict {
  const counted = summaries.flatMap(({ name, statuses }) =>
    Object.entries(statuses)
      .filter(([status]) => status.startsWith('5'))
      .map(([status, times]) => `${times} times ${status} in ${name}`),
  );
  return { rule: 'no 5xx', held: counted.length === 0, detail: counted.join(', ') || 'none' };
}

function promises(summary: FailoverSummary | undefined): RuleVerdict[] {
  if (summary === undefined) return [];
  const broken = summary.failovers.flatMap((failover) => failover.broken);
  return [{ rule: 'every failover keeps its promises', held: broken.length === 0, detail: broken.join(', ') || 'all' }];
}

function scaling(cases: readonly BenchCase[], measurements: Measurements): RuleVerdict[] {
  return cases
    .filter(({ seats }) => seats === LARGEST)
    .flatMap((large) => {
      const small = cases.find(
        ({ seats, verb, stand, way }) =>
          seats === SMALLEST && verb === large.verb && stand === large.stand && way === large.way,
      );
      if (!small) return [];
      const ratio = medianRatio(measurements.get(large.name) ?? [], measurements.get(small.name) ?? []);
      return {
        rule: `${large.name} at least ${SCALING_MIN} of ${small.name}`,
        held: ratio >= SCALING_MIN,
        detail: ratio.toFixed(2),
      };
    });
}
