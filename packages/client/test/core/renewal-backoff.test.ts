import { afterRound, firstToAsk, NO_ROUND } from '../../src/core/renewal-backoff';

const BACKOFF = { baseMs: 100, capMs: 1_000 };

describe('a round of renewals', () => {
  it('asks for all that is due at once', () => {
    expect(firstToAsk(NO_ROUND, 1_000)).toBe(1_000);
    expect(firstToAsk(NO_ROUND, 0)).toBe(0);
  });

  it('asks one question first after nobody answered', () => {
    const { rounds } = afterRound(NO_ROUND, { answered: false, random: 0 }, BACKOFF);
    expect(firstToAsk(rounds, 1_000)).toBe(1);
    expect(firstToAsk(rounds, 0)).toBe(0);
  });

  it('comes the later the longer nobody answers, and soon again once somebody has', () => {
    let rounds = NO_ROUND;
    const waits: number[] = [];
    for (let count = 0; count < 6; count += 1) {
      const end = afterRound(rounds, { answered: false, random: 1 }, BACKOFF);
      rounds = end.rounds;
      waits.push(end.againInMs);
    }
    expect(waits).toEqual([200, 400, 800, 1_000, 1_000, 1_000]);
    expect(afterRound(rounds, { answered: true, random: 1 }, BACKOFF)).toEqual({ rounds: NO_ROUND, againInMs: 200 });
  });
});
