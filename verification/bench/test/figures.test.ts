import { checkAssertions } from '../src/assertions';
import type { BenchCase } from '../src/cases';
import { CASES } from '../src/cases';
import { LatencyRecord } from '../src/generator/latencies';
import { type Measurement, medianRatio, summarise } from '../src/summary';

const LATENCIES = { p50Ms: 1, p95Ms: 2, p99Ms: 3, maxMs: 4 };

const LOAD = { connections: 64 };

function measured(round: number, operations: number, statuses: Record<string, number> = {}): Measurement {
  return { round, operations, seconds: 1, latencies: LATENCIES, statuses, cpu: undefined };
}

function rulesOf(measurements: ReadonlyMap<string, readonly Measurement[]>) {
  const cases = CASES.filter(({ name }) => measurements.has(name));
  return checkAssertions(cases, { summaries: cases.map((each) => summarise(each, measurements, LOAD)), measurements });
}

test('a percentile is a latency that was measured', () => {
  const record = new LatencyRecord();
  for (let ms = 1000; ms >= 1; ms -= 1) record.add(ms);
  expect(record.summary()).toEqual({ p50Ms: 500, p95Ms: 950, p99Ms: 990, maxMs: 1000 });
});

test('more latencies than there was room for are all kept', () => {
  const record = new LatencyRecord();
  for (let count = 0; count < 200_000; count += 1) record.add(count < 199_999 ? 1 : 7);
  expect(record.summary()).toMatchObject({ p99Ms: 1, maxMs: 7 });
});

test('ratios are taken within a round, so that a machine that grows busier moves none', () => {
  const quiet = [measured(1, 1000), measured(2, 100), measured(3, 10)];
  const half = [measured(1, 500), measured(2, 50), measured(3, 5)];
  expect(medianRatio(half, quiet)).toBeCloseTo(0.5);
});

test('a summary holds a case against its baseline and adds up what was answered', () => {
  const bench = CASES.find(({ name }) => name === 'pairs-1000') as BenchCase;
  const measurements = new Map([
    ['pairs-1000', [measured(1, 400, { 201: 400, 204: 400 }), measured(2, 600, { 201: 601, 204: 600 })]],
    ['commit-pairs', [measured(1, 100), measured(2, 300)]],
  ]);
  expect(summarise(bench, measurements, LOAD)).toMatchObject({
    perSecond: 500,
    ratio: 3,
    statuses: { 201: 1001, 204: 1000 },
    perSecondByRound: [400, 600],
  });
});

describe('the ratios that must hold anywhere', () => {
  test('hold when large pools are nearly as fast as small ones and no server failed', () => {
    const rules = rulesOf(
      new Map([
        ['pairs-1000', [measured(1, 1000, { 201: 1000, 204: 1000 })]],
        ['pairs-100000', [measured(1, 900, { 201: 900, 204: 900, 409: 3 })]],
      ]),
    );
    expect(rules.map(({ held }) => held)).toEqual([true, true]);
  });

  test('a pool of 100,000 below nine tenths of one of 1,000 breaks one', () => {
    const rules = rulesOf(
      new Map([
        ['heartbeats-1000', [measured(1, 1000)]],
        ['heartbeats-100000', [measured(1, 899)]],
      ]),
    );
    expect(rules.find(({ rule }) => rule.startsWith('heartbeats'))).toMatchObject({ held: false, detail: '0.90' });
  });

  test('a single 5xx breaks one, and is named with its case', () => {
    const rules = rulesOf(new Map([['pairs-nearly-full', [measured(1, 10, { 201: 10, 503: 1 })]]]));
    expect(rules).toEqual([{ rule: 'no 5xx', held: false, detail: '1 times 503 in pairs-nearly-full' }]);
  });
});
