import { run } from '../../../local/simulator/run';
import { drawScenario } from '../../../local/simulator/scenario/draw';
import { Clockwork } from '../../../local/simulator/time/clockwork';
import { Random } from '../../../local/simulator/time/random';

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

describe('virtual time', () => {
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
