import { type BackoffPolicy, backoffMs } from './backoff';
import type { Final, Verdict } from './verdict';

/** What became of a call after all its tries. */
export type Delivery =
  | Final
  /** `mayBeDone`: a try got no answer, so it may have been carried out all the same. */
  | { readonly kind: 'given-up'; readonly because: string; readonly mayBeDone: boolean };

/** How a call has fared so far. */
export interface Progress {
  readonly failures: number;
  /** How often in a row it went on to another address at once. */
  readonly moves: number;
  readonly because: string;
  readonly mayBeDone: boolean;
}

export const NOT_TRIED: Progress = { failures: 0, moves: 0, because: 'it was stopped', mayBeDone: false };

/** How often one delivery changes its address at once, before it waits as it does after any other failure. */
const MOVES_IN_A_ROW_MAX = 2;

/** Failures after which a request was certainly not carried out: it never left. */
const NEVER_LEFT: ReadonlySet<string> = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EHOSTUNREACH', 'ENETUNREACH']);

export interface TryFacts {
  readonly verdict: Verdict;
  /** Another address is worth trying at once. */
  readonly movedOn: boolean;
  readonly nowMs: number;
  readonly endsAtMs: number;
  readonly random: number;
}

export type NextTry =
  | { readonly kind: 'over'; readonly delivery: Delivery }
  | { readonly kind: 'try'; readonly afterMs: number; readonly progress: Progress };

/** What to do after a try. */
export function afterTry(before: Progress, facts: TryFacts, backoff: BackoffPolicy): NextTry {
  const { verdict, movedOn, nowMs, endsAtMs, random } = facts;
  switch (verdict.kind) {
    case 'not_granting':
    case 'busy':
    case 'unavailable':
      break;
    default:
      return { kind: 'over', delivery: verdict };
  }
  const because = verdict.kind === 'not_granting' ? verdict.kind : verdict.because;
  const mayBeDone = before.mayBeDone || (verdict.kind === 'unavailable' && !NEVER_LEFT.has(because));
  if (movedOn && before.moves < MOVES_IN_A_ROW_MAX && nowMs < endsAtMs) {
    return { kind: 'try', afterMs: 0, progress: { ...before, because, mayBeDone, moves: before.moves + 1 } };
  }
  const failures = before.failures + 1;
  const afterMs = backoffMs({ failures, retryAfterMs: verdict.retryAfterMs, random }, backoff);
  if (nowMs + afterMs >= endsAtMs) return { kind: 'over', delivery: { kind: 'given-up', because, mayBeDone } };
  return { kind: 'try', afterMs, progress: { failures, moves: 0, because, mayBeDone } };
}
