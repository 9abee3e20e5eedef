import pc from 'picocolors';
import type { BenchCase } from './cases';
import { escrowUnreached } from './escrow-prediction';
import { row } from './format';
import type { CaseSummary } from './summary';

const COLUMNS = [
  'pool, escrow, round trip between the regions',
  'per second',
  'of unreached',
  'predicted',
  'waited',
  'wait ms',
  'p50 ms',
  'p95 ms',
  'p99 ms',
  '',
];
const WIDTHS = [44, 10, 12, 10, 6, 8, 7, 7, 7, 0];

/** What an escrow costs, beside what arithmetic says. */
export function escrowTable(
  cases: readonly BenchCase[],
  report: { readonly cases: readonly CaseSummary[] },
): readonly string[] {
  const rows = cases.flatMap(({ name, what }) => {
    const summary = report.cases.find((each) => each.name === name);
    return summary ? row(cells(what, summary), WIDTHS) : [];
  });
  return [pc.dim(row(COLUMNS, WIDTHS)), ...rows];
}

function cells(what: string, { perSecond, ratio, p50Ms, p95Ms, p99Ms, escrow }: CaseSummary): string[] {
  if (escrow === undefined) return [what];
  const { waitedShare, predictedPerSecond, predictedWaitMs, roundTripMs } = escrow;
  const whole = (value: number): string => Math.round(value).toLocaleString('en');
  const unreachedFrom = escrowUnreached({ perSecond, roundTripMs }).toLocaleString('en');
  return [
    what,
    whole(perSecond),
    ratio === undefined ? '' : ratio.toFixed(2),
    predictedPerSecond === undefined ? '' : whole(predictedPerSecond),
    `${Math.round(waitedShare * 100)} %`,
    ratio === undefined ? '' : whole(predictedWaitMs),
    ...[p50Ms, p95Ms, p99Ms].map((ms) => ms.toFixed(1)),
    ratio === undefined ? `unreached at this rate from an escrow of ${unreachedFrom}` : '',
  ];
}
