import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { costTable } from '../../lib/cost/cost-table';
import { FREE_TYPES, monthlyCost, PRICED_TYPES, unpricedTypes } from '../../lib/cost/monthly-cost';
import priceFile from '../../lib/cost/prices.json';
import { SMALL_VENDOR } from '../../lib/cost/usage';
import { synthesize } from './support/synthesized';

type Stacks = Parameters<typeof monthlyCost>[0];

let stacks: Stacks;

beforeAll(() => {
  stacks = Object.values(synthesize().templates).map(({ resources }) => resources);
}, 120_000);

describe('cost', () => {
  it('has a price or a reason for every resource type of the stacks', () => {
    expect(unpricedTypes(stacks)).toEqual([]);
  });

  it('names a type that has neither', () => {
    expect(unpricedTypes([{ Canary: { Type: 'AWS::Synthetics::Canary' } }])).toEqual(['AWS::Synthetics::Canary']);
  });

  it('calls no type both priced and free', () => {
    expect(Object.keys(FREE_TYPES).filter((type) => PRICED_TYPES.has(type))).toEqual([]);
  });

  it('names a source and a date for every price', () => {
    const prices = Object.values(priceFile.prices);
    expect(prices.filter(({ source, date }) => source === '' || !/^\d{4}(-\d{2})?$/.test(date))).toEqual([]);
  });

  it('counts the logs of the web ACLs by request', () => {
    const logs = (requestsPerSecond: number): number =>
      monthlyCost(stacks, { ...SMALL_VENDOR, webAclLoggedShare: 1, requestsPerSecond }).find(
        ({ part }) => part === 'logs of the web ACLs',
      )?.usd ?? 0;
    expect(logs(100)).toBeCloseTo(10 * logs(10));
    // 100 requests/s of 1.5 KB are 394 GB a month.
    expect(logs(100)).toBeCloseTo(394.2 * 0.53, 0);
  });

  it('prints the table that docs/cost.md shows', () => {
    const page = readFileSync(join(__dirname, '../../docs/cost.md'), 'utf8');
    expect(page).toContain(costTable(stacks));
  });
});
