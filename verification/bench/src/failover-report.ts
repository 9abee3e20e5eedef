import pc from 'picocolors';
import { type FailoverSummary, PART_MEANS, PARTS } from './failovers';
import { row } from './format';

const COLUMNS = ['part', 'median s', 'each s', 'waits s', 'in production', ''];
const WIDTHS = [12, 9, 24, 8, 14, 0];

/** The loss of a region until the first grant of the other, and what of it is waiting on purpose. */
export function failoverTable({ failovers, firstGrantMs, partsMs, waitsMs }: FailoverSummary): string[] {
  const parts = PARTS.map((part) => [
    part,
    seconds(partsMs[part]),
    failovers.map((each) => seconds(each.partsMs[part])).join(', '),
    seconds(waitsMs.fast[part]),
    seconds(waitsMs.default[part]),
    PART_MEANS[part],
  ]);
  const total = [
    'first grant',
    seconds(firstGrantMs),
    failovers.map((each) => seconds(each.firstGrantMs)).join(', '),
    seconds(sum(Object.values(waitsMs.fast))),
    seconds(sum(Object.values(waitsMs.default))),
    'fault to first grant; the waits are the most that is waited on purpose',
  ];
  return [
    pc.bold("time to the first grant after the loss of a region, at the drills' pace"),
    pc.dim(row(COLUMNS, WIDTHS)),
    ...[...parts, total].map((texts) => row(texts, WIDTHS)),
  ];
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(2);
}
