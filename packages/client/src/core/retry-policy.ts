import { type BackoffPolicy, backoffMs } from './backoff';
import type { FinalVerdict, HttpResponseVerdict } from './verdict';

/** Result of a request after all attempts. */
export type RequestOutcome =
  | FinalVerdict
  /** `mayHaveSucceeded`: an attempt got no response, so the server may have executed it. */
  | { readonly kind: 'given_up'; readonly reason: string; readonly mayHaveSucceeded: boolean };

/** Progress of a request over its attempts. */
export interface RetryProgress {
  readonly failures: number;
  /** Consecutive immediate retries at another address. */
  readonly moves: number;
  readonly reason: string;
  readonly mayHaveSucceeded: boolean;
}

export const NOT_STARTED: RetryProgress = { failures: 0, moves: 0, reason: 'stopped', mayHaveSucceeded: false };

/** Immediate retries at another address, before the request backs off. */
const IMMEDIATE_RETRIES_MAX = 2;

/** After these errors the server did not execute the request, because it was never sent. */
const NEVER_SENT: ReadonlySet<string> = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EHOSTUNREACH', 'ENETUNREACH']);

export interface AttemptResult {
  readonly verdict: HttpResponseVerdict;
  /** Another address can be tried immediately. */
  readonly addressChanged: boolean;
  readonly nowMs: number;
  readonly endsAtMs: number;
  readonly random: number;
}

export type NextAttempt =
  | { readonly kind: 'over'; readonly outcome: RequestOutcome }
  | { readonly kind: 'try'; readonly afterMs: number; readonly progress: RetryProgress };

/** Decides what follows an attempt. */
export function afterAttempt(before: RetryProgress, facts: AttemptResult, backoff: BackoffPolicy): NextAttempt {
  const { verdict, addressChanged, nowMs, endsAtMs, random } = facts;
  switch (verdict.kind) {
    case 'not_granting':
    case 'busy':
    case 'unavailable':
      break;
    default:
      return { kind: 'over', outcome: verdict };
  }
  const reason = verdict.kind === 'not_granting' ? verdict.kind : verdict.reason;
  const mayHaveSucceeded = before.mayHaveSucceeded || (verdict.kind === 'unavailable' && !NEVER_SENT.has(reason));
  if (addressChanged && before.moves < IMMEDIATE_RETRIES_MAX && nowMs < endsAtMs) {
    return { kind: 'try', afterMs: 0, progress: { ...before, reason, mayHaveSucceeded, moves: before.moves + 1 } };
  }
  const failures = before.failures + 1;
  const afterMs = backoffMs({ failures, retryAfterMs: verdict.retryAfterMs, random }, backoff);
  if (nowMs + afterMs >= endsAtMs) return { kind: 'over', outcome: { kind: 'given_up', reason, mayHaveSucceeded } };
  return { kind: 'try', afterMs, progress: { failures, moves: 0, reason, mayHaveSucceeded } };
}
