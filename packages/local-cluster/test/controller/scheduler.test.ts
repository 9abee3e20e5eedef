import type { CycleOutcome } from '@evergrant/controller/cycle';
import { eventually } from '@evergrant/test-support/eventually';
import { Scheduler } from '../../src/controller/scheduler';

const watched = (operating: boolean): CycleOutcome => ({
  kind: 'watched',
  verdict: { kind: 'operating', reason: 'test' },
  operating,
});

describe('scheduler', () => {
  it('never runs two cycles at once, and continues after a failed cycle', async () => {
    let running = 0;
    let most = 0;
    const kinds: string[] = [];
    const scheduler = new Scheduler({
      cycle: async () => {
        running += 1;
        most = Math.max(most, running);
        await new Promise((resume) => setTimeout(resume, 5));
        running -= 1;
        if (kinds.length === 1) throw new Error('a broken invariant');
        return watched(true);
      },
      sampleEveryMs: 10,
      stepEveryMs: 1,
      hasPendingRequest: async () => false,
      report: ({ kind }) => kinds.push(kind),
    });
    scheduler.start();
    await eventually('five cycles', () => kinds.length >= 5);
    await scheduler.close();
    expect(most).toBe(1);
    expect(kinds[1]).toBe('failed');
    expect(kinds[2]).toBe('watched');
  });

  it('uses the step interval during an operation and the sample interval otherwise', async () => {
    let cycles = 0;
    const scheduler = new Scheduler({
      cycle: async () => watched(++cycles < 5),
      sampleEveryMs: 3_600_000,
      stepEveryMs: 1,
      hasPendingRequest: async () => false,
      report: () => undefined,
    });
    scheduler.start();
    await eventually('the operation is over', () => cycles === 5);
    await scheduler.close();
    expect(cycles).toBe(5);
  });

  it("runs a cycle at once for an operator's request", async () => {
    let cycles = 0;
    const scheduler = new Scheduler({
      cycle: async () => {
        cycles += 1;
        return watched(false);
      },
      hasPendingRequest: async () => cycles === 1,
      sampleEveryMs: 3_600_000,
      stepEveryMs: 1,
      report: () => undefined,
    });
    scheduler.start();
    await eventually('the second cycle', () => cycles === 2);
    await scheduler.close();
  });

  it('closes at once during a wait, and within its limit during a cycle that hangs', async () => {
    let cycles = 0;
    const scheduler = new Scheduler({
      cycle: () => {
        cycles += 1;
        return new Promise(() => undefined);
      },
      sampleEveryMs: 1,
      stepEveryMs: 1,
      hasPendingRequest: async () => false,
      report: () => undefined,
    });
    scheduler.start();
    await eventually('a cycle hangs', () => cycles === 1);
    const beforeMs = performance.now();
    await scheduler.close();
    expect(performance.now() - beforeMs).toBeLessThan(6_000);
  }, 10_000);
});
