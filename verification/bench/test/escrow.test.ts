import { CASES } from '../src/cases';
import { escrowUnreached, predictedPerSecond, predictedWaitMs } from '../src/escrow-prediction';
import { type Measurement, summarise } from '../src/summary';

const caseNamed = (name: string) => {
  const found = CASES.find((each) => each.name === name);
  if (!found) throw new Error(`there is no case ${name}`);
  return found;
};

describe('what an escrow is predicted to cost', () => {
  test('an answer waits for what is left of the round trip, and never longer than one', () => {
    expect(predictedWaitMs({ perSecond: 100, escrow: 0, roundTripMs: 70 })).toBe(70);
    expect(predictedWaitMs({ perSecond: 100, escrow: 5, roundTripMs: 70 })).toBe(20);
  });

  test('nobody waits from an escrow of what is granted in a round trip', () => {
    const pool = { perSecond: 1_000, roundTripMs: 70 };
    const escrow = escrowUnreached(pool);
    expect(escrow).toBe(70);
    expect(predictedWaitMs({ ...pool, escrow })).toBe(0);
    expect(predictedWaitMs({ ...pool, escrow: escrow - 1 })).toBeGreaterThan(0);
  });

  test('callers that wait for their answers spend a round trip beside what a pair takes, less what the escrow saves', () => {
    const pool = { connections: 64, escrow: 6, roundTripMs: 70, unreachedPerSecond: 64_000 / 30 };
    expect(predictedPerSecond(pool)).toBeCloseTo(700);
  });

  test('nobody does more than when nobody waits', () => {
    const pool = { connections: 64, escrow: 100, roundTripMs: 70, unreachedPerSecond: 300 };
    expect(predictedPerSecond(pool)).toBe(300);
  });

  test('a simulation of such callers comes to what was predicted', () => {
    const pool = { connections: 8, escrow: 5, roundTripMs: 50 };
    const perSecond = simulate({ ...pool, workMs: 0.1, forMs: 20_000 });
    const predicted = predictedPerSecond({ ...pool, unreachedPerSecond: 10_000 });
    expect(perSecond / predicted).toBeGreaterThan(0.95);
    expect(perSecond / predicted).toBeLessThan(1.05);
  });
});

test('a cell is held against the pool in which nobody waits, in the same round', () => {
  const bench = caseNamed('escrow-10-of-1000-at-70ms');
  expect(bench.against).toBe('escrow-unreached-of-1000-at-70ms');
  const measurements = new Map([
    ['escrow-10-of-1000-at-70ms', [measured(500, 0.9)]],
    ['escrow-unreached-of-1000-at-70ms', [measured(1_000, 0)]],
  ]);
  const { ratio, escrow } = summarise(bench, measurements, { connections: 32 });
  expect(ratio).toBe(0.5);
  expect(escrow).toMatchObject({ waitedShare: 0.9, predictedWaitMs: 50 });
  expect(escrow?.predictedPerSecond).toBeCloseTo(42 / (0.032 + 0.07));
});

test('the grid has every round trip, both pools and an unreached escrow for each', () => {
  const cells = CASES.flatMap(({ cell }) => cell ?? []);
  expect(new Set(cells.map(({ roundTripMs }) => roundTripMs))).toEqual(new Set([1, 70, 200]));
  expect(new Set(cells.map(({ seats }) => seats))).toEqual(new Set([1_000, 100_000]));
  expect(cells.filter(({ seats, escrow }) => escrow === seats)).toHaveLength(6);
});

function measured(operations: number, waitedShare: number): Measurement {
  const latencies = { p50Ms: 1, p95Ms: 2, p99Ms: 3, maxMs: 4 };
  return { round: 1, operations, seconds: 1, latencies, statuses: {}, cpu: undefined, waitedShare };
}

/** Each caller in turn commits its grant, one after the other, and asks again when it may be answered. */
function simulate({
  connections,
  escrow,
  roundTripMs,
  workMs,
  forMs,
}: {
  connections: number;
  escrow: number;
  roundTripMs: number;
  workMs: number;
  forMs: number;
}): number {
  const committedAtMs: number[] = [];
  const readyAtMs = Array.from({ length: connections }, () => 0);
  let nowMs = 0;
  while (nowMs < forMs) {
    const next = readyAtMs.indexOf(Math.min(...readyAtMs));
    nowMs = Math.max(nowMs, readyAtMs[next] ?? 0) + workMs;
    committedAtMs.push(nowMs);
    const needed = committedAtMs[committedAtMs.length - 1 - escrow];
    readyAtMs[next] = needed === undefined ? nowMs : Math.max(nowMs, needed + roundTripMs);
  }
  return (committedAtMs.length / nowMs) * 1_000;
}
