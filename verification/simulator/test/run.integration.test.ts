import { run } from '../src/run';
import { drawScenario } from '../src/scenario/draw';
import { Random } from '../src/time/random';
import { VirtualClock } from '../src/time/virtual-clock';

/** Long enough for a busy machine. */
jest.setTimeout(120_000);

describe('run', () => {
  it('repeats the same scenario step by step', async () => {
    const scenario = { ...drawScenario(7, 'log-loss'), chaosMs: 200_000, timersLateMsMax: 2_000 };
    const options = { tracing: true, checksLiveness: false };
    const [one, other] = [await run(scenario, options), await run(scenario, options)];
    expect(other.trace).toEqual(one.trace);
    expect(other.steps).toBe(one.steps);
  });

  it('draws equal scenarios from equal seeds and different ones from different seeds', () => {
    expect(drawScenario(3)).toEqual(drawScenario(3));
    expect(drawScenario(4)).not.toEqual(drawScenario(3));
  });

  it('moves the authority when a region is lost, violates no invariant, and converges', async () => {
    const { violation, epoch, grants } = await run(drawScenario(11, 'log-loss'));
    expect(violation).toBeUndefined();
    expect(epoch).toBeGreaterThan(1);
    expect(grants).toBeGreaterThan(0);
  });
});

describe('fast-forward', () => {
  const HOUR_MS = 3_600_000;
  const scenario = { ...drawScenario(1, 'soak'), chaosMs: 3 * HOUR_MS };
  const ended = { checksLiveness: false };

  it('skips idle hours deterministically, but not the incidents', async () => {
    const [one, other] = [await run(scenario, ended), await run(scenario, ended)];
    expect(one.violation).toBeUndefined();
    expect(one.simulatedMs).toBe(scenario.chaosMs);
    expect(one.skippedMs).toBeGreaterThan(scenario.chaosMs / 2);
    expect(Object.keys(one.faults)).not.toEqual([]);
    expect([other.skippedMs, other.steps, other.grants]).toEqual([one.skippedMs, one.steps, one.grants]);
  });

  it('keeps installations active in idle hours', async () => {
    const quiet = { ...scenario, chaosMs: HOUR_MS, faults: [] };
    const { skippedMs, grants } = await run(quiet, ended);
    expect(skippedMs).toBeGreaterThan(0.8 * quiet.chaosMs);
    // A run that skips idle time grants and renews about as often as one that does not.
    const whole = await run({ ...quiet, skipsIdleTime: false }, ended);
    expect(whole.skippedMs).toBe(0);
    expect(grants).toBeGreaterThan(0.7 * whole.grants);
    expect(grants).toBeLessThan(1.3 * whole.grants);
  });
});

describe('virtual clock', () => {
  it('skips only as far as allowed, and does not advance active-time timers while skipping', async () => {
    const virtualClock = new VirtualClock();
    const calls: [string, number, number][] = [];
    const note = (what: string): void => void calls.push([what, virtualClock.nowMs, virtualClock.elapsedActiveMs]);
    virtualClock.afterActive(2_000, () => note('active'));
    virtualClock.after(60_000, () => note('elapsed'));
    virtualClock.skipTo = (untilMs) => Math.min(untilMs, 50_000);
    await virtualClock.run(100_000, () => true);
    expect(calls).toEqual([
      ['active', 52_000, 2_000],
      ['elapsed', 60_000, 10_000],
    ]);
  });

  it('runs events in order of time, each with its microtasks', async () => {
    const virtualClock = new VirtualClock();
    const calls: string[] = [];
    virtualClock.after(20, () => calls.push('late-latch'));
    virtualClock.after(10, async () => {
      await Promise.resolve();
      await Promise.resolve();
      calls.push('early, with microtasks');
    });
    const cancel = virtualClock.after(5, () => calls.push('cancelled'));
    cancel();
    await virtualClock.run(100, () => true);
    expect(calls).toEqual(['early, with microtasks', 'late-latch']);
    expect(virtualClock.nowMs).toBe(100);
  });

  it('draws equal random numbers from equal seeds', () => {
    const draw = (seed: number): number[] => Array.from({ length: 5 }, new Random(seed).next);
    expect(draw(1)).toEqual(draw(1));
    expect(draw(2)).not.toEqual(draw(1));
  });
});
