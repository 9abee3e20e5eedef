import type { DrillReport } from '@evergrant/drills/report';
import { checkAssertions } from '../src/assertions';
import { failoverOf, summariseFailovers } from '../src/failovers';

const TIMELINE: DrillReport['timeline'] = [
  { what: 'fault', afterFaultMs: 0 },
  { what: 'detected: first sample with both down', afterFaultMs: 400 },
  { what: 'failover started, confirmed', afterFaultMs: 3_400 },
  { what: 'failover: latch done', afterFaultMs: 3_500 },
  { what: 'failover: fence done', afterFaultMs: 3_600 },
  { what: 'failover: drain done', afterFaultMs: 3_700 },
  { what: 'failover: promote done', afterFaultMs: 4_000 },
  { what: 'failover: verify done', afterFaultMs: 4_100 },
  { what: 'failover: open done', afterFaultMs: 4_600 },
  { what: 'failover: switch done', afterFaultMs: 4_800 },
  { what: 'first grant of virginia in epoch 2', afterFaultMs: 4_900 },
];

function drill(change: Partial<DrillReport> = {}): DrillReport {
  return {
    ...{ scenario: 'region-loss', passed: true, startedAt: '', tookMs: 1, timeline: TIMELINE, recoveryTimeMs: 4_900 },
    ...{ figures: {}, promises: [], broken: undefined, logs: undefined },
    ...change,
  };
}

const rulesOf = (report: DrillReport) =>
  checkAssertions([], { summaries: [], measurements: new Map(), failovers: summariseFailovers([failoverOf(report)]) });

test('failover parts: add up to the time to the first grant', () => {
  const { partsMs, firstGrantMs } = failoverOf(drill());
  expect(partsMs).toEqual({ notice: 400, confirm: 3_000, drain: 300, promote: 400, open: 500, switch: 200, ask: 100 });
  expect(Object.values(partsMs).reduce((sum, ms) => sum + ms, 0)).toBe(firstGrantMs);
});

test('failover parts: end with the first grant, even before the switch is confirmed', () => {
  const timeline = TIMELINE.map((mark) =>
    mark.what.endsWith('switch done') ? { ...mark, afterFaultMs: 6_000 } : mark,
  );
  expect(failoverOf(drill({ timeline })).partsMs).toMatchObject({ open: 500, switch: 300, ask: 0 });
});

test('failover waits: follow the policy of each profile', () => {
  const { waitsMs } = summariseFailovers([failoverOf(drill())]);
  expect(waitsMs.default).toMatchObject({ notice: 10_000, confirm: 110_000, drain: 0, open: 0 });
  expect(waitsMs.fast).toMatchObject({ notice: 500, confirm: 3_000, open: 500 });
});

test('failover assertion: fails when a check of a failover failed', () => {
  const broken = drill({ promises: [{ promise: 'no pool is oversold', held: false, detail: '2 of 1' }] });
  expect(rulesOf(drill()).every(({ held }) => held)).toBe(true);
  expect(rulesOf(broken)).toContainEqual({
    ...{ rule: 'every failover passes its checks', held: false },
    detail: 'no pool is oversold (2 of 1)',
  });
});

test('failover assertion: fails when a drill was not completed', () => {
  expect(rulesOf(drill({ broken: 'the world did not start', timeline: [] })).some(({ held }) => !held)).toBe(true);
});
