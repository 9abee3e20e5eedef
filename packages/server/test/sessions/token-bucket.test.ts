import { TokenBucket } from '../../src/sessions/token-bucket';

const taken = (allowance: TokenBucket, count: number, nowMs: number): number =>
  Array.from({ length: count }, () => allowance.take(nowMs)).filter(Boolean).length;

describe('the allowance of a session', () => {
  it('lets a burst pass and refuses what comes on top', () => {
    expect(taken(new TokenBucket({ perSecond: 10, burstMax: 100 }, 0), 150, 0)).toBe(100);
  });

  it('grows back at its rate', () => {
    const allowance = new TokenBucket({ perSecond: 10, burstMax: 100 }, 0);
    taken(allowance, 150, 0);
    expect(taken(allowance, 150, 1_000)).toBe(10);
    expect(taken(allowance, 150, 3_500)).toBe(25);
  });

  it('never grows beyond one burst', () => {
    const allowance = new TokenBucket({ perSecond: 10, burstMax: 100 }, 0);
    expect(taken(allowance, 150, 3_600_000)).toBe(100);
  });

  it('never refuses who stays within the rate', () => {
    const allowance = new TokenBucket({ perSecond: 10, burstMax: 1 }, 0);
    const refused = Array.from({ length: 1_000 }, (_, index) => allowance.take(index * 100)).filter((taken) => !taken);
    expect(refused).toEqual([]);
  });
});
