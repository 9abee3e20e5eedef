import { afterRound, NO_FAILURES, probeCount } from '../../src/core/renewal-backoff';

const BACKOFF = { baseMs: 100, capMs: 1_000 };

describe('a round of renewals', () => {
  it('sends all due renewals together', () => {
    expect(probeCount(NO_FAILURES, 1_000)).toBe(1_000);
    expect(probeCount(NO_FAILURES, 0)).toBe(0);
  });

  it('sends one probe first after a round without a response', () => {
    const { rounds } = afterRound(NO_FAILURES, { answered: false, random: 0 }, BACKOFF);
    expect(probeCount(rounds, 1_000)).toBe(1);
    expect(probeCount(rounds, 0)).toBe(0);
  });

  it('backs off while no server responds, and resets after a response', () => {
    let rounds = NO_FAILURES;
    const waits: number[] = [];
    for (let count = 0; count < 6; count += 1) {
      const end = afterRound(rounds, { answered: false, random: 1 }, BACKOFF);
      rounds = end.rounds;
      waits.push(end.retryInMs);
    }
    expect(waits).toEqual([200, 400, 800, 1_000, 1_000, 1_000]);
    expect(afterRound(rounds, { answered: true, random: 1 }, BACKOFF)).toEqual({ rounds: NO_FAILURES, retryInMs: 200 });
  });
});
