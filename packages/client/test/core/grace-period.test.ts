import fc from 'fast-check';
import { type GracePeriodPolicy, nextStageAtMs, type OutageStage, outageStageAt } from '../../src/core/grace-period';

const HOUR_MS = 3_600_000;
const POLICY: GracePeriodPolicy = { graceMs: 48 * HOUR_MS, suspendAfterMs: 720 * HOUR_MS };
const TIMES = { confirmedAtMs: 0, expiresAtMs: 600_000 };

describe('outage stage of a lease without renewal', () => {
  it.each<[number, OutageStage]>([
    [599_999, 'held'],
    [600_000, 'grace'],
    [48 * HOUR_MS - 1, 'grace'],
    [48 * HOUR_MS, 'fail_safe'],
    [720 * HOUR_MS - 1, 'fail_safe'],
    [720 * HOUR_MS, 'suspended'],
    [10_000 * HOUR_MS, 'suspended'],
  ])('after %d ms is %s', (nowMs, stage) => {
    expect(outageStageAt(TIMES, POLICY, nowMs)).toBe(stage);
  });

  it('is held until it expires, however short the grace period', () => {
    const none = { graceMs: 0, suspendAfterMs: 0 };
    expect(outageStageAt(TIMES, none, 599_999)).toBe('held');
    expect(outageStageAt(TIMES, none, 600_000)).toBe('suspended');
  });

  it('is fail_safe immediately when the license allows no grace', () => {
    expect(outageStageAt(TIMES, { ...POLICY, graceMs: 0 }, 600_000)).toBe('fail_safe');
  });
});

describe('outage stage for any times and license', () => {
  const times = fc.record({ confirmedAtMs: fc.integer(), expiresAtMs: fc.integer() });
  const policy = fc.record({ graceMs: fc.nat(), suspendAfterMs: fc.nat() });
  const ORDER: readonly OutageStage[] = ['held', 'grace', 'fail_safe', 'suspended'];

  it('never becomes less severe with time', () => {
    fc.assert(
      fc.property(times, policy, fc.integer(), fc.nat(), (lease, license, nowMs, laterMs) => {
        const [now, later] = [nowMs, nowMs + laterMs].map((atMs) => ORDER.indexOf(outageStageAt(lease, license, atMs)));
        expect(later).toBeGreaterThanOrEqual(now as number);
      }),
    );
  });

  it('changes exactly at the reported time', () => {
    fc.assert(
      fc.property(times, policy, fc.integer(), (lease, license, nowMs) => {
        const nextMs = nextStageAtMs(lease, license, nowMs);
        const now = outageStageAt(lease, license, nowMs);
        if (nextMs === undefined) return expect(now).toBe('suspended');
        expect(nextMs).toBeGreaterThan(nowMs);
        expect(outageStageAt(lease, license, nextMs - 1)).toBe(now);
      }),
    );
  });
});
