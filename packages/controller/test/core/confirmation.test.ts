import { POLICY } from '@evergrant/test-support/controller/memory-world';
import { facts } from '@evergrant/test-support/controller/situations';
import { type Confirmation, confirm, type Sample } from '../../src/core/confirmation';
import type { Facts, Reading } from '../../src/core/facts';

const sample = (
  atMs: number,
  readings: Partial<Record<keyof Facts, Reading>> = {},
  lifeAtMs: number | undefined = undefined,
): Sample => ({
  facts: facts(readings),
  atMs,
  lastSignOfLifeAtMs: lifeAtMs,
});

const countedIn = (samples: readonly Sample[]): Confirmation | undefined =>
  samples.reduce<Confirmation | undefined>((previous, next) => confirm(previous, next, POLICY), undefined);

describe('confirmation that both are down', () => {
  it('counts consecutive samples', () => {
    expect(countedIn([sample(0), sample(1_000), sample(2_000)])).toMatchObject({
      count: 3,
      sinceMs: 0,
      lastSampleAtMs: 2_000,
      livedBefore: false,
    });
  });

  it.each<[string, Partial<Record<keyof Facts, Reading>>]>([
    ['the application up', { app: 'up' }],
    ['the database up', { database: 'up' }],
    ['the application unknown', { app: 'unknown' }],
    ['the database unknown', { database: 'unknown' }],
    ['the witness seeing it alive', { witness: 'up' }],
  ])('restarts after one sample with %s', (_what, readings) => {
    expect(countedIn([sample(0), sample(1_000), sample(2_000, readings)])).toBeUndefined();
    expect(countedIn([sample(0), sample(1_000), sample(2_000, readings), sample(3_000)])?.count).toBe(1);
  });

  it('does not count two observations at almost the same time as two samples', () => {
    const twoControllers = [0, 1_000, 2_000].flatMap((atMs) => [sample(atMs), sample(atMs + 150)]);
    expect(countedIn(twoControllers)?.count).toBe(3);
  });

  it('does not count a replayed sample', () => {
    expect(countedIn([sample(0), sample(1_000), sample(0), sample(1_000)])?.count).toBe(2);
  });

  it('restarts after a gap, because old samples prove nothing about the present', () => {
    expect(countedIn([sample(0), sample(1_000), sample(1_000 + POLICY.sampleGapMaxMs + 1)])?.count).toBe(1);
  });

  it('restarts when the clock was set back', () => {
    expect(countedIn([sample(100_000), sample(101_000), sample(2_000)])).toMatchObject({ count: 1, sinceMs: 2_000 });
  });

  it('restarts at a sign of life within the window, and not at one from before', () => {
    expect(countedIn([sample(1_000), sample(2_000, {}, 900), sample(3_000, {}, 900)])?.count).toBe(3);
    expect(countedIn([sample(1_000), sample(2_000), sample(3_000, {}, 2_500)])).toMatchObject({
      count: 1,
      sinceMs: 3_000,
      livedBefore: true,
    });
  });
});
