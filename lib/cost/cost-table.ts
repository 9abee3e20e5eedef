import { type CostLine, monthlyCost, type StackResources } from './monthly-cost';
import { SMALL_VENDOR } from './usage';

/** The table of docs/cost.md: a small vendor, and the same with ten times the requests. */
export function costTable(stacks: readonly StackResources[]): string {
  const small = monthlyCost(stacks, SMALL_VENDOR);
  const large = monthlyCost(stacks, { ...SMALL_VENDOR, requestsPerSecond: 10 * SMALL_VENDOR.requestsPerSecond });
  const rows = small.map(
    ({ part, usd, how }, index) => `| ${part} | ${dollars(usd)} | ${dollars(large[index]?.usd ?? 0)} | ${how} |`,
  );
  return [
    `| part | ${SMALL_VENDOR.requestsPerSecond} requests/s | ${10 * SMALL_VENDOR.requestsPerSecond} requests/s | how it is computed (first column) |`,
    '| --- | ---: | ---: | --- |',
    ...rows,
    `| **together** | **${dollars(sum(small))}** | **${dollars(sum(large))}** | |`,
    '',
  ].join('\n');
}

function sum(lines: readonly CostLine[]): number {
  return lines.reduce((total, { usd }) => total + usd, 0);
}

function dollars(usd: number): string {
  return usd.toFixed(usd < 10 ? 1 : 0);
}
