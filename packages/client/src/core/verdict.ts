import type { OutagePolicy } from './grace-period';

/** What a grant or a renewal says. Durations count from when the request was sent: never longer than the server's own. */
export interface Grant {
  /** Not the one that was asked for when an installation gets its lease back. */
  readonly leaseId: string | undefined;
  readonly licenseId: string | undefined;
  readonly token: string;
  readonly epoch: number;
  readonly servedBy: string;
  readonly expiresInMs: number;
  readonly heartbeatInMs: number;
  readonly sentAtMs: number;
  /** The server's clock when it decided; undefined when it did not say. */
  readonly serverTimeMs: number | undefined;
  /** Undefined in answers of a release that had none. */
  readonly policy: OutagePolicy | undefined;
  /** Taken along: it needs no heartbeats, and ends when its time is over. */
  readonly borrowed: boolean;
  readonly overdraft: boolean;
}

/** A place in the line for seats. The same checkout, with this token, keeps it and claims it in its turn. */
export interface QueueEntry {
  readonly position: number;
  readonly token: string;
  readonly retryInMs: number;
}

/**
 * An answer after which there is nothing more to try.
 *
 * - `done`: what was asked for is so;
 * - `queued`: it stands in line;
 * - `no_seat_available`: an expected outcome of a checkout;
 * - `ended`: the server says definitively that the lease is no more;
 * - `refused`: asking again would not help (credentials, a request that is not valid).
 */
export type FinalVerdict =
  | { readonly kind: 'done'; readonly grant: Grant | undefined }
  | { readonly kind: 'queued'; readonly entry: QueueEntry }
  | { readonly kind: 'no_seat_available' }
  | { readonly kind: 'ended'; readonly code: string }
  | { readonly kind: 'refused'; readonly status: number; readonly code: string; readonly detail: string };

/**
 * What an answer means for the one who asked.
 *
 * - `not_granting`: somebody else may grant, and the answer may say who;
 * - `busy`: this is the right one to ask, but not now: to go elsewhere would only carry the load there;
 * - `unavailable`: nobody useful answered; whether the request was carried out is not known.
 */
export type ResponseVerdict =
  | FinalVerdict
  | { readonly kind: 'not_granting'; readonly address: string | undefined; readonly retryAfterMs: number | undefined }
  | { readonly kind: 'busy'; readonly because: string; readonly retryAfterMs: number | undefined }
  | { readonly kind: 'unavailable'; readonly because: string; readonly retryAfterMs: number | undefined };
