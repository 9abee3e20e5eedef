import type { BenchCase } from './cases';
import type { FailoverSummary } from './failovers';
import { type CaseSummary, type Measurements, medianRatio } from './summary';

/** The result of an assertion that must hold on any machine. Its fields are part of the JSON report. */
export interface AssertionResult {
  readonly rule: string;
  readonly held: boolean;
  readonly detail: string;
}

const SMALLEST = 1_000;
const LARGEST = 100_000;
/** Minimum throughput of the largest pool relative to the smallest. */
const SCALING_MIN = 0.9;

/** The results of all assertions whose cases were measured. */
export function checkAssertions(
  cases: readonly BenchCase[],
  {
    summaries,
    measurements,
    failovers,
  }: { summaries: readonly CaseSummary[]; measurements: Measurements; failovers?: FailoverSummary | undefined },
): AssertionResult[] {
  return [noServerError(summaries), ...scaling(cases, measurements), ...promises(failovers)];
}

function noServerError(summaries: readonly CaseSummary[]): AssertionResult {
  const counted = summaries.flatMap(({ name, statuses }) =>
    Object.entries(statuses)
      .filter(([status]) => status.startsWith('5'))
      .map(([status, times]) => `${times} times ${status} in ${name}`),
  );
  return { rule: 'no 5xx', held: counted.length === 0, detail: counted.join(', ') || 'none' };
}

function promises(summary: FailoverSummary | undefined): AssertionResult[] {
  if (summary === undefined) return [];
  const broken = summary.failovers.flatMap((failover) => failover.broken);
  return [{ rule: 'every failover passes its checks', held: broken.length === 0, detail: broken.join(', ') || 'all' }];
}

function scaling(cases: readonly BenchCase[], measurements: Measurements): AssertionResult[] {
  return cases
    .filter(({ seats }) => seats === LARGEST)
    .flatMap((large) => {
      const small = cases.find(
        ({ seats, workload, topology, protocol }) =>
          seats === SMALLEST &&
          workload === large.workload &&
          topology === large.topology &&
          protocol === large.protocol,
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
