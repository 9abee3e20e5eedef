import { run } from '../src/run';
import { drawScenario } from '../src/scenario/draw';
import { Random } from '../src/time/random';
import { Clockwork } from '../src/time/virtual-clock';

/** A machine that does much else at once takes its time. */
jest.setTimeout(120_000);

describe('a simulation', () => {
  it('is the same each time, to the last step', async () => {
    const scenario = { ...drawScenario(7, 'tail'), chaosMs: 200_000, timersLateMsMax: 2_000 };
    const options = { tracing: true, mending: false };
    const [one, other] = [await run(scenario, options), await run(scenario, options)];
    expect(other.trace).toEqual(one.trace);
    expect(other.steps).toBe(one.steps);
  });

  it('draws the same scenario from the same seed, and another from another', () => {
    expect(drawScenario(3)).toEqual(drawScenario(3));
    expect(drawScenario(4)).not.toEqual(drawScenario(3));
  });

  it('moves the authority when a region is lost, breaks nothing, and serves everybody in the end', async () => {
    const { broken, epoch, grants } = await run(drawScenario(11, 'tail'));
    expect(broken).toBeUndefined();
    expect(epoch).toBeGreaterThan(1);
    expect(grants).toBeGreaterThan(0);
  });
});

describe('a long life', () => {
  const HOUR_MS = 3_600_000;
  const scenario = { ...drawScenario(1, 'days'), chaosMs: 3 * HOUR_MS };
  const ended = { mending: false };

  it('leaps over its quiet hours, the same each time, and lives through its misfortunes', async () => {
    const [one, other] = [await run(scenario, ended), await run(scenario, ended)];
    expect(one.broken).toBeUndefined();
    expect(one.simulatedMs).toBe(scenario.chaosMs);
    expect(one.leaptMs).toBeGreaterThan(scenario.chaosMs / 2);
    expect(Object.keys(one.faults)).not.toEqual([]);
    expect([other.leaptMs, other.steps, other.grants]).toEqual([one.leaptMs, one.steps, one.grants]);
  });

  it('keeps its customers at work in the quiet hours', async () => {
    const quiet = { ...scenario, chaosMs: HOUR_MS, faults: [] };
    const { leaptMs, grants } = await run(quiet, ended);
    expect(leaptMs).toBeGreaterThan(0.8 * quiet.chaosMs);
    // An unhurried world grants and renews as often as one that leaps over nothing.
    const whole = await run({ ...quiet, leaps: false }, ended);
    expect(whole.leaptMs).toBe(0);
    expect(grants).toBeGreaterThan(0.7 * whole.grants);
    expect(grants).toBeLessThan(1.3 * whole.grants);
  });
});

describe('virtual time', () => {
  it('leaps only when it may, and what has to be lived through is as far ahead as before', async () => {
    const clockwork = new Clockwork();
    const told: [string, number, number][] = [];
    const tell = (what: string): void => void told.push([what, clockwork.nowMs, clockwork.livedMs]);
    clockwork.afterLived(2_000, () => tell('duty'));
    clockwork.after(60_000, () => tell('customer'));
    clockwork.leapTo = (untilMs) => Math.min(untilMs, 50_000);
    await clockwork.run(100_000, () => true);
    expect(told).toEqual([
      ['duty', 52_000, 2_000],
      ['customer', 60_000, 10_000],
    ]);
  });

  it('runs what is due in the order of its time, and with it all that follows without waiting', async () => {
    const clockwork = new Clockwork();
    const told: string[] = [];
    clockwork.after(20, () => told.push('late'));
    clockwork.after(10, async () => {
      await Promise.resolve();
      await Promise.resolve();
      told.push('early, and what followed');
    });
    const cancel = clockwork.after(5, () => told.push('cancelled'));
    cancel();
    await clockwork.run(100, () => true);
    expect(told).toEqual(['early, and what followed', 'late']);
    expect(clockwork.nowMs).toBe(100);
  });

  it('repeats its random numbers', () => {
    const draw = (seed: number): number[] => Array.from({ length: 5 }, new Random(seed).next);
    expect(draw(1)).toEqual(draw(1));
    expect(draw(2)).not.toEqual(draw(1));
  });
});
