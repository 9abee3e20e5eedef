import { type BackoffPolicy, backoffMs } from './backoff';
import type { FinalVerdict, ResponseVerdict } from './verdict';

/** What became of a call after all its tries. */
export type RequestOutcome =
  | FinalVerdict
  /** `mayBeDone`: a try got no answer, so it may have been carried out all the same. */
  | { readonly kind: 'given_up'; readonly because: string; readonly mayHaveSucceeded: boolean };

/** How a call has fared so far. */
export interface RetryProgress {
  readonly failures: number;
  /** How often in a row it went on to another address at once. */
  readonly moves: number;
  readonly because: string;
  readonly mayHaveSucceeded: boolean;
}

export const NOT_STARTED: RetryProgress = { failures: 0, moves: 0, because: 'it was stopped', mayHaveSucceeded: false };

/** How often one delivery changes its address at once, before it waits as it does after any other failure. */
const IMMEDIATE_RETRIES_MAX = 2;

/** Failures after which a request was certainly not carried out: it never left. */
const NEVER_SENT: ReadonlySet<string> = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EHOSTUNREACH', 'ENETUNREACH']);

export interface AttemptResult {
  readonly verdict: ResponseVerdict;
  /** Another address is worth trying at once. */
  readonly addressChanged: boolean;
  readonly nowMs: number;
  readonly endsAtMs: number;
  readonly random: number;
}

export type NextAttempt =
  | { readonly kind: 'over'; readonly outcome: RequestOutcome }
  | { readonly kind: 'try'; readonly afterMs: number; readonly progress: RetryProgress };

/** What to do after a try. */
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
  const because = verdict.kind === 'not_granting' ? verdict.kind : verdict.because;
  const mayHaveSucceeded = before.mayHaveSucceeded || (verdict.kind === 'unavailable' && !NEVER_SENT.has(because));
  if (addressChanged && before.moves < IMMEDIATE_RETRIES_MAX && nowMs < endsAtMs) {
    return { kind: 'try', afterMs: 0, progress: { ...before, because, mayHaveSucceeded, moves: before.moves + 1 } };
  }
  const failures = before.failures + 1;
  const afterMs = backoffMs({ failures, retryAfterMs: verdict.retryAfterMs, random }, backoff);
  if (nowMs + afterMs >= endsAtMs) return { kind: 'over', outcome: { kind: 'given_up', because, mayHaveSucceeded } };
  return { kind: 'try', afterMs, progress: { failures, moves: 0, because, mayHaveSucceeded } };
}
