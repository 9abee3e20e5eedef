import type { CycleOutcome } from '@evergrant/controller/cycle';
import { eventually } from '@evergrant/test-support/eventually';
import { Pace } from '../../src/controller/scheduler';

const watched = (operating: boolean): CycleOutcome => ({
  kind: 'watched',
  verdict: { kind: 'operating', because: 'test' },
  operating,
});

describe("the controller's pace", () => {
  it('never runs two cycles at once, and goes on after one that failed', async () => {
    let running = 0;
    let most = 0;
    const kinds: string[] = [];
    const pace = new Pace({
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
      isAsked: async () => false,
      report: ({ kind }) => kinds.push(kind),
    });
    pace.start();
    await eventually('five cycles', () => kinds.length >= 5);
    await pace.close();
    expect(most).toBe(1);
    expect(kinds[1]).toBe('failed');
    expect(kinds[2]).toBe('watched');
  });

  it('takes the next step soon, and the next sample in its time', async () => {
    let cycles = 0;
    const pace = new Pace({
      cycle: async () => watched(++cycles < 5),
      sampleEveryMs: 3_600_000,
      stepEveryMs: 1,
      isAsked: async () => false,
      report: () => undefined,
    });
    pace.start();
    await eventually('the operation is over', () => cycles === 5);
    await pace.close();
    expect(cycles).toBe(5);
  });

  it('does not let an operator wait for the next sample', async () => {
    let cycles = 0;
    const pace = new Pace({
      cycle: async () => {
        cycles += 1;
        return watched(false);
      },
      isAsked: async () => cycles === 1,
      sampleEveryMs: 3_600_000,
      stepEveryMs: 1,
      report: () => undefined,
    });
    pace.start();
    await eventually('the second cycle', () => cycles === 2);
    await pace.close();
  });

  it('ends in the middle of a wait at once, and in a cycle that hangs within its bound', async () => {
    let cycles = 0;
    const pace = new Pace({
      cycle: () => {
        cycles += 1;
        return new Promise(() => undefined);
      },
      sampleEveryMs: 1,
      stepEveryMs: 1,
      isAsked: async () => false,
      report: () => undefined,
    });
    pace.start();
    await eventually('a cycle hangs', () => cycles === 1);
    const beforeMs = performance.now();
    await pace.close();
    expect(performance.now() - beforeMs).toBeLessThan(6_000);
  }, 10_000);
});
