import fc from 'fast-check';
import { type Closing, RECLAIM_POLICY, type ReclaimFacts, reclaimVerdict } from '../../src/sessions/core/reclaim';

const AT_MS = 100_000;
const vanished = (atMs = AT_MS): Closing => ({ how: 'vanished', atMs });
const silent = (atMs = AT_MS): Closing => ({ how: 'silent', atMs });

function verdictOn(closing: Closing, others: readonly Closing[] = [], facts: Partial<ReclaimFacts> = {}): string {
  const closings = [closing, ...others];
  const all = { closing, closings, sessionsOpen: 1_000, granting: true, nowMs: AT_MS + 400, ...facts };
  const verdict = reclaimVerdict(all, RECLAIM_POLICY);
  return verdict.kind === 'keep' ? verdict.reason : verdict.kind;
}

const many = (count: number, atMs = AT_MS): Closing[] => Array.from({ length: count }, () => vanished(atMs));

describe('the seats of a vanished client', () => {
  it('are taken back when it vanished alone', () => {
    expect(verdictOn(vanished())).toBe('reclaim');
  });

  it('are taken back within a second', () => {
    const verdict = reclaimVerdict(
      { closing: vanished(), closings: [vanished()], sessionsOpen: 1, granting: true, nowMs: AT_MS },
      RECLAIM_POLICY,
    );
    expect(verdict).toEqual({ kind: 'wait', untilMs: AT_MS + 300 });
  });

  it('are taken back when it was the only one there was', () => {
    expect(verdictOn(vanished(), [], { sessionsOpen: 0 })).toBe('reclaim');
  });

  it('are not while this server does not grant', () => {
    expect(verdictOn(vanished(), [], { granting: false })).toBe('not_granting');
  });

  it('are not when it vanished in a crowd', () => {
    expect(verdictOn(vanished(), many(60))).toBe('crowd');
  });

  it('are not when the crowd comes a moment later', () => {
    expect(verdictOn(vanished(), many(60, AT_MS + 250))).toBe('crowd');
  });

  it('are not when the crowd was there just before', () => {
    expect(verdictOn(vanished(), many(60, AT_MS - 900))).toBe('crowd');
  });

  it('are taken back when the crowd was another time', () => {
    expect(verdictOn(vanished(), many(60, AT_MS - 5_000))).toBe('reclaim');
    expect(verdictOn(vanished(), many(60, AT_MS + 5_000))).toBe('reclaim');
  });

  it('are taken back when a few of very many vanish, each for itself', () => {
    expect(verdictOn(vanished(), many(20))).toBe('reclaim');
  });

  it('are not when three of twenty vanish, or two of four', () => {
    expect(verdictOn(vanished(), many(2), { sessionsOpen: 17 })).toBe('crowd');
    expect(verdictOn(vanished(), many(1), { sessionsOpen: 2 })).toBe('crowd');
    expect(verdictOn(vanished(), many(1), { sessionsOpen: 3 })).toBe('reclaim');
  });
});

describe('the seats of a client that fell silent', () => {
  it('wait for a whole round of pings, since a crowd is found out one by one', () => {
    expect(verdictOn(silent(), [], { nowMs: AT_MS + 14_000 })).toBe('wait');
    expect(verdictOn(silent(), [], { nowMs: AT_MS + 15_000 })).toBe('reclaim');
    const found = Array.from({ length: 60 }, (_, index) => silent(AT_MS - 14_000 + index * 480));
    expect(verdictOn(silent(), found, { nowMs: AT_MS + 15_000 })).toBe('crowd');
  });
});

describe('whatever closes when', () => {
  const closings = fc.array(
    fc.record({
      how: fc.constantFrom<Closing['how']>('vanished', 'silent'),
      atMs: fc.integer({ min: 0, max: 60_000 }),
    }),
    { minLength: 1, maxLength: 200 },
  );

  it('a session is never reclaimed in the company of a twentieth of all and three', () => {
    fc.assert(
      fc.property(closings, fc.integer({ min: 0, max: 2_000 }), fc.nat(100_000), (all, sessionsOpen, nowMs) => {
        for (const closing of all) {
          const facts = { closing, closings: all, sessionsOpen, granting: true, nowMs };
          if (reclaimVerdict(facts, RECLAIM_POLICY).kind !== 'reclaim') continue;
          const company = all.filter(({ atMs }) => Math.abs(atMs - closing.atMs) <= 300).length;
          expect(company < 3 || company < (sessionsOpen + company) / 20).toBe(true);
          expect(nowMs).toBeGreaterThanOrEqual(closing.atMs + 300);
        }
      }),
    );
  });

  it('every session is decided about, at the latest when the time for company is over', () => {
    fc.assert(
      fc.property(closings, fc.integer({ min: 0, max: 2_000 }), (all, sessionsOpen) => {
        for (const closing of all) {
          const nowMs = closing.atMs + RECLAIM_POLICY.silentCorrelationWindowMs;
          const facts = { closing, closings: all, sessionsOpen, granting: true, nowMs };
          expect(reclaimVerdict(facts, RECLAIM_POLICY).kind).not.toBe('wait');
        }
      }),
    );
  });
});
