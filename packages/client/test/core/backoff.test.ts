import { backoffMs } from '../../src/core/backoff';
import { retryAfterMs } from '../../src/transport/retry-after';

const POLICY = { baseMs: 100, capMs: 1_000 };

describe('backoff', () => {
  it('grows with each failure up to its cap', () => {
    const ceilings = [1, 2, 3, 4, 5, 500].map((failures) => backoffMs({ failures, random: 1 }, POLICY));
    expect(ceilings).toEqual([200, 400, 800, 1_000, 1_000, 1_000]);
  });

  it('spreads over the whole range, so that clients do not return together', () => {
    expect([0, 0.5].map((random) => backoffMs({ failures: 2, random }, POLICY))).toEqual([0, 200]);
  });

  it('is at least Retry-After, which is limited to a minute', () => {
    expect(backoffMs({ failures: 1, retryAfterMs: 5_000, random: 0 }, POLICY)).toBe(5_000);
    expect(backoffMs({ failures: 1, retryAfterMs: 5_000, random: 0.5 }, POLICY)).toBe(5_100);
    expect(backoffMs({ failures: 1, retryAfterMs: 86_400_000, random: 0 }, POLICY)).toBe(60_000);
  });

  it('parses both forms of Retry-After and ignores invalid values', () => {
    const nowMs = Date.parse('2026-11-22T10:00:00Z');
    expect(retryAfterMs('3', nowMs)).toBe(3_000);
    expect(retryAfterMs('Sun, 22 Nov 2026 10:00:07 GMT', nowMs)).toBe(7_000);
    expect(retryAfterMs('Sun, 22 Nov 2026 09:00:00 GMT', nowMs)).toBe(0);
    for (const header of [null, '', '-1', 'soon']) expect(retryAfterMs(header, nowMs)).toBeUndefined();
  });
});
