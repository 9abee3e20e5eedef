import { ClockSkewGuard } from '../src/clock-skew-guard';

const SKEW_MS = 5_000;
const START_MS = Date.UTC(2026, 10, 22, 12);

/** A guard on a machine whose clock is `aheadMs` ahead, and what a response at `atMs` of the store's clock shows it. */
function guardOf(aheadMs: number): { guard: ClockSkewGuard; respond: (atMs: number, latencyMs?: number) => void } {
  const guard = new ClockSkewGuard({ nowMs: () => START_MS + aheadMs, skewMs: SKEW_MS });
  return {
    guard,
    respond: (atMs, latencyMs = 20) =>
      guard.record({
        sentAtMs: START_MS + atMs + aheadMs - latencyMs / 2,
        storeMs: Math.floor((START_MS + atMs) / 1_000) * 1_000,
        receivedAtMs: START_MS + atMs + aheadMs + latencyMs / 2,
      }),
  };
}

const skewed = expect.objectContaining({ code: 'clock_skewed', retryable: true });
/** Moments with different parts of a second. */
const MOMENTS_MS = [300, 5_900, 10_050, 15_400, 20_700];

describe('ClockSkewGuard', () => {
  it('refuses the time before it has compared the clocks', () => {
    expect(() => guardOf(0).guard.nowMs()).toThrow(skewed);
  });

  it('has the first write preceded by a read, and no later one', async () => {
    const { guard, respond } = guardOf(0);
    const read = jest.fn(async () => respond(0));
    await guard.measured(read);
    await guard.measured(read);
    expect(read).toHaveBeenCalledTimes(1);
  });

  it('measures again before each write until the clock is proven', async () => {
    const { guard, respond } = guardOf(2_400);
    const moments = [300, 1_400, 2_050, 3_950];
    const read = jest.fn(async () => respond(moments.shift() ?? 0));
    for (let attempt = 0; attempt < 4; attempt++) await guard.measured(read);
    expect(read).toHaveBeenCalledTimes(3);
    expect(guard.nowMs()).toBe(START_MS + 2_400);
  });

  it.each([0, 1_400, -1_400])('accepts a clock that is %i ms ahead with the first response', (aheadMs) => {
    const { guard, respond } = guardOf(aheadMs);
    respond(50);
    expect(guard.nowMs()).toBe(START_MS + aheadMs);
  });

  it.each([2_600, 3_000, 4_500, 8_000, -2_600, -3_000, -3_500, -8_000])(
    'refuses a clock that is %i ms ahead, whatever part of a second is cut off',
    (aheadMs) => {
      for (const only of MOMENTS_MS) {
        const { guard, respond } = guardOf(aheadMs);
        respond(only);
        expect(() => guard.nowMs()).toThrow(skewed);
      }
      const { guard, respond } = guardOf(aheadMs);
      for (const atMs of MOMENTS_MS) respond(atMs);
      expect(() => guard.nowMs()).toThrow(skewed);
    },
  );

  it('accepts half of the skew once several responses bound the difference', () => {
    for (const aheadMs of [2_400, -2_400]) {
      const { guard, respond } = guardOf(aheadMs);
      for (let atMs = 0; atMs < 12_000; atMs += 1_099) respond(atMs);
      expect(guard.nowMs()).toBe(START_MS + aheadMs);
    }
  });

  it('takes no slow response for a skewed clock when earlier responses prove the contrary', () => {
    const { guard, respond } = guardOf(0);
    respond(300);
    respond(5_000, 6_000);
    expect(guard.nowMs()).toBe(START_MS);
  });

  it('believes only the newest response after a clock was set', () => {
    const { guard, respond } = guardOf(0);
    for (const atMs of MOMENTS_MS) respond(atMs);
    guard.record({ sentAtMs: START_MS + 34_000, storeMs: START_MS + 30_000, receivedAtMs: START_MS + 34_050 });
    expect(() => guard.nowMs()).toThrow(skewed);
  });
});
