import type { Answer } from './transport';

/** What a grant or a renewal says. Durations count from when the request was sent: never longer than the server's own. */
export interface Grant {
  readonly token: string;
  readonly epoch: number;
  readonly servedBy: string;
  readonly expiresInMs: number;
  readonly heartbeatInMs: number;
  readonly sentAtMs: number;
}

/**
 * An answer after which there is nothing more to try.
 *
 * - `done`: what was asked for is so;
 * - `no_seat_available`: an expected outcome of a checkout;
 * - `ended`: the server says definitively that the lease is no more;
 * - `refused`: asking again would not help (credentials, a request that is not valid).
 */
export type Final =
  | { readonly kind: 'done'; readonly grant: Grant | undefined }
  | { readonly kind: 'no_seat_available' }
  | { readonly kind: 'ended'; readonly code: string }
  | { readonly kind: 'refused'; readonly status: number; readonly code: string; readonly detail: string };

/**
 * What an answer means for the one who asked.
 *
 * - `not_granting`: somebody else may grant, and the answer may say who;
 * - `unavailable`: nobody useful answered; whether the request was carried out is not known.
 */
export type Verdict =
  | Final
  | { readonly kind: 'not_granting'; readonly address: string | undefined; readonly retryAfterMs: number | undefined }
  | { readonly kind: 'unavailable'; readonly because: string; readonly retryAfterMs: number | undefined };

type Response = Extract<Answer, { kind: 'response' }>;

/** Clocks that differ less than this agree: the `Date` header has no finer resolution. */
const CLOCK_TOLERANCE_MS = 2_000;

const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);

/** The server's wall clock as seen here: ours where the two agree, the server's `Date` where they do not (S7). */
function serverNowMs(serverDateMs: number | undefined, wallMs: number): number {
  if (serverDateMs === undefined) return wallMs;
  return Math.abs(serverDateMs - wallMs) <= CLOCK_TOLERANCE_MS ? wallMs : serverDateMs;
}

/** A point in time of the server's as a duration from now: a timestamp, or a number of seconds. */
function durationMs(value: unknown, nowMs: number): number | undefined {
  if (typeof value === 'number') return value * 1_000;
  const atMs = Date.parse(text(value) ?? '');
  return Number.isNaN(atMs) ? undefined : Math.max(0, atMs - nowMs);
}

function grantOf({ body, serverDateMs, sentAtMs }: Response, wallMs: number): Grant | undefined {
  const nowMs = serverNowMs(serverDateMs, wallMs);
  const expiresInMs = durationMs(body.expiresAt, nowMs);
  const token = text(body.token);
  if (expiresInMs === undefined || token === undefined) return undefined;
  return {
    token,
    epoch: typeof body.epoch === 'number' ? body.epoch : 0,
    servedBy: text(body.servedBy) ?? 'unknown',
    expiresInMs,
    heartbeatInMs: durationMs(body.heartbeatAfter, nowMs) ?? expiresInMs / 3,
    sentAtMs,
  };
}

const unavailable = (because: string, retryAfterMs?: number): Verdict => ({
  kind: 'unavailable',
  because,
  retryAfterMs,
});

/** A 404 counts only as the license server's own word about the lease: a proxy's "no such page" is none. */
const LEASE_IS_UNKNOWN = 'lease_not_found';

/** Request timeout, too early, too many requests: the same request may succeed later. */
const ASK_AGAIN = new Set([408, 425, 429]);

/** @param wallMs the client's wall clock when the answer came. */
export function verdictOn(answer: Answer, wallMs: number): Verdict {
  if (answer.kind === 'no-response') return unavailable(answer.because);
  if (answer.status === 204) return { kind: 'done', grant: undefined };
  if (answer.status !== 200 && answer.status !== 201) return verdictOnProblem(answer);
  const grant = grantOf(answer, wallMs);
  return grant ? { kind: 'done', grant } : unavailable('the answer is not a lease');
}

function verdictOnProblem({ status, body, retryAfterMs }: Response): Verdict {
  const code = text(body.code) ?? `http_${status}`;
  switch (status) {
    case 409:
      if (code === 'no_seat_available') return { kind: 'no_seat_available' };
      break;
    case 410:
      return { kind: 'ended', code };
    case 404:
      if (code === LEASE_IS_UNKNOWN) return { kind: 'ended', code };
      break;
    case 503:
      if (code === 'not_granting') return { kind: 'not_granting', address: text(body.address), retryAfterMs };
      break;
  }
  if (status >= 500 || ASK_AGAIN.has(status)) return unavailable(code, retryAfterMs);
  return { kind: 'refused', status, code, detail: text(body.detail) ?? text(body.title) ?? '' };
}
