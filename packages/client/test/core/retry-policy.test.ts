import fc from 'fast-check';
import {
  type AttemptResult,
  afterAttempt,
  type NextAttempt,
  NOT_STARTED,
  type RetryProgress,
} from '../../src/core/retry-policy';
import type { HttpResponseVerdict } from '../../src/core/verdict';

const BACKOFF = { baseMs: 100, capMs: 1_000 };
const unavailable = (reason = 'timeout', retryAfterMs?: number): HttpResponseVerdict => {
  return { kind: 'unavailable', reason, retryAfterMs };
};

function next(facts: Partial<AttemptResult>, before: RetryProgress = NOT_STARTED): NextAttempt {
  const all = { verdict: unavailable(), addressChanged: false, nowMs: 0, endsAtMs: 60_000, random: 0.5, ...facts };
  return afterAttempt(before, all, BACKOFF);
}

describe('retry policy', () => {
  it.each<HttpResponseVerdict>([
    { kind: 'done', grant: undefined },
    { kind: 'no_seat_available' },
    { kind: 'ended', code: 'lease_expired' },
    { kind: 'refused', status: 403, code: 'forbidden', detail: '' },
    { kind: 'queued', entry: { position: 1, token: 't', retryInMs: 1 } },
  ])('does not retry after $kind', (verdict) => {
    expect(next({ verdict })).toEqual({ kind: 'over', outcome: verdict });
  });

  it('retries at another address immediately, at most twice in a row', () => {
    const first = next({ addressChanged: true });
    expect(first).toMatchObject({ kind: 'try', afterMs: 0 });
    const second = next({ addressChanged: true }, first.kind === 'try' ? first.progress : NOT_STARTED);
    expect(second).toMatchObject({ kind: 'try', afterMs: 0 });
    const third = next({ addressChanged: true }, second.kind === 'try' ? second.progress : NOT_STARTED);
    expect(third).toMatchObject({ kind: 'try', afterMs: 100, progress: { failures: 1, moves: 0 } });
  });

  it('waits for Retry-After', () => {
    expect(next({ verdict: unavailable('overloaded', 5_000) })).toMatchObject({ kind: 'try', afterMs: 5_100 });
    const busy = { kind: 'busy', reason: 'too_many_requests', retryAfterMs: 7_000 } as const;
    expect(next({ verdict: busy })).toMatchObject({ kind: 'try', afterMs: 7_100 });
  });

  it('ends when the next attempt would miss the deadline', () => {
    expect(next({ verdict: unavailable('overloaded', 5_000), endsAtMs: 5_000 })).toEqual({
      kind: 'over',
      outcome: { kind: 'given_up', reason: 'overloaded', mayHaveSucceeded: true },
    });
  });

  it('knows that an unsent request was not executed', () => {
    const outcome = { kind: 'given_up', reason: 'ECONNREFUSED', mayHaveSucceeded: false };
    expect(next({ verdict: unavailable('ECONNREFUSED'), endsAtMs: 0 })).toEqual({ kind: 'over', outcome });
  });

  it('remembers that an earlier attempt may have been executed', () => {
    const first = next({ verdict: unavailable('timeout') });
    const progress = first.kind === 'try' ? first.progress : NOT_STARTED;
    const second = next({ verdict: unavailable('ECONNREFUSED'), endsAtMs: 0 }, progress);
    expect(second).toMatchObject({ outcome: { reason: 'ECONNREFUSED', mayHaveSucceeded: true } });
  });
});

describe('retry policy for any responses', () => {
  const verdicts = fc.constantFrom<HttpResponseVerdict>(
    unavailable('timeout'),
    unavailable('ECONNREFUSED'),
    { kind: 'busy', reason: 'too_many_requests', retryAfterMs: undefined },
    { kind: 'not_granting', address: undefined, retryAfterMs: undefined },
  );
  const tries = fc.array(fc.record({ verdict: verdicts, addressChanged: fc.boolean(), tenths: fc.nat(9) }), {
    minLength: 1,
    maxLength: 60,
  });
  const ENDS_AT_MS = 5_000;
  const A_TRY_MS = 60;

  it('ends by the deadline and never loops without a delay', () => {
    fc.assert(
      fc.property(tries, (all) => {
        let progress = NOT_STARTED;
        let nowMs = 0;
        let atOnce = 0;
        for (let index = 0; ; index += 1) {
          const { verdict, addressChanged, tenths } = all[index % all.length]!;
          const facts = { verdict, addressChanged, nowMs, endsAtMs: ENDS_AT_MS, random: tenths / 10 };
          const after = afterAttempt(progress, facts, BACKOFF);
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
