import fc from 'fast-check';
import { afterTry, type NextTry, NOT_TRIED, type Progress, type TryFacts } from '../../src/core/retry-policy';
import type { Verdict } from '../../src/core/verdict';

const BACKOFF = { baseMs: 100, capMs: 1_000 };
const unavailable = (because = 'timeout', retryAfterMs?: number): Verdict => {
  return { kind: 'unavailable', because, retryAfterMs };
};

function next(facts: Partial<TryFacts>, before: Progress = NOT_TRIED): NextTry {
  const all = { verdict: unavailable(), movedOn: false, nowMs: 0, endsAtMs: 60_000, random: 0.5, ...facts };
  return afterTry(before, all, BACKOFF);
}

describe('after a try', () => {
  it.each<Verdict>([
    { kind: 'done', grant: undefined },
    { kind: 'no_seat_available' },
    { kind: 'ended', code: 'lease_expired' },
    { kind: 'refused', status: 403, code: 'forbidden', detail: '' },
    { kind: 'queued', place: { position: 1, token: 't', askAgainInMs: 1 } },
  ])('that was answered with $kind there is no other', (verdict) => {
    expect(next({ verdict })).toEqual({ kind: 'over', delivery: verdict });
  });

  it('another address is tried at once, but no more than twice in a row', () => {
    const first = next({ movedOn: true });
    expect(first).toMatchObject({ kind: 'try', afterMs: 0 });
    const second = next({ movedOn: true }, first.kind === 'try' ? first.progress : NOT_TRIED);
    expect(second).toMatchObject({ kind: 'try', afterMs: 0 });
    const third = next({ movedOn: true }, second.kind === 'try' ? second.progress : NOT_TRIED);
    expect(third).toMatchObject({ kind: 'try', afterMs: 100, progress: { failures: 1, moves: 0 } });
  });

  it('Retry-After is waited for', () => {
    expect(next({ verdict: unavailable('overloaded', 5_000) })).toMatchObject({ kind: 'try', afterMs: 5_100 });
    const busy = { kind: 'busy', because: 'too_many_requests', retryAfterMs: 7_000 } as const;
    expect(next({ verdict: busy })).toMatchObject({ kind: 'try', afterMs: 7_100 });
  });

  it('it is given up when the next would come too late', () => {
    expect(next({ verdict: unavailable('overloaded', 5_000), endsAtMs: 5_000 })).toEqual({
      kind: 'over',
      delivery: { kind: 'given-up', because: 'overloaded', mayBeDone: true },
    });
  });

  it('what never left was certainly not carried out', () => {
    const delivery = { kind: 'given-up', because: 'ECONNREFUSED', mayBeDone: false };
    expect(next({ verdict: unavailable('ECONNREFUSED'), endsAtMs: 0 })).toEqual({ kind: 'over', delivery });
  });

  it('what may have been carried out once stays so', () => {
    const first = next({ verdict: unavailable('timeout') });
    const progress = first.kind === 'try' ? first.progress : NOT_TRIED;
    const second = next({ verdict: unavailable('ECONNREFUSED'), endsAtMs: 0 }, progress);
    expect(second).toMatchObject({ delivery: { because: 'ECONNREFUSED', mayBeDone: true } });
  });
});

describe('whatever is answered', () => {
  const verdicts = fc.constantFrom<Verdict>(
    unavailable('timeout'),
    unavailable('ECONNREFUSED'),
    { kind: 'busy', because: 'too_many_requests', retryAfterMs: undefined },
    { kind: 'not_granting', address: undefined, retryAfterMs: undefined },
  );
  const tries = fc.array(fc.record({ verdict: verdicts, movedOn: fc.boolean(), tenths: fc.nat(9) }), {
    minLength: 1,
    maxLength: 60,
  });
  const ENDS_AT_MS = 5_000;
  const A_TRY_MS = 60;

  it('a delivery ends by its deadline, and never goes in a circle without a pause', () => {
    fc.assert(
      fc.property(tries, (all) => {
        let progress = NOT_TRIED;
        let nowMs = 0;
        let atOnce = 0;
        for (let index = 0; ; index += 1) {
          const { verdict, movedOn, tenths } = all[index % all.length]!;
          const facts = { verdict, movedOn, nowMs, endsAtMs: ENDS_AT_MS, random: tenths / 10 };
          const after = afterTry(progress, facts, BACKOFF);
          if (after.kind === 'over') break;
          progress = after.progress;
          atOnce = progress.moves === 0 ? 0 : atOnce + 1;
          expect(atOnce).toBeLessThanOrEqual(2);
          nowMs += after.afterMs + A_TRY_MS;
        }
        expect(nowMs).toBeLessThan(ENDS_AT_MS + A_TRY_MS);
      }),
    );
  });
});
