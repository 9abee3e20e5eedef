import type { GracePeriodPolicy } from './grace-period';

/** A grant or a renewal. Durations start when the request was sent, so they never exceed the server's. */
export interface Grant {
  /** Differs from the requested id when the installation gets its earlier lease back. */
  readonly leaseId: string | undefined;
  readonly licenseId: string | undefined;
  readonly token: string;
  readonly epoch: number;
  readonly servedBy: string;
  readonly expiresInMs: number;
  readonly heartbeatInMs: number;
  readonly sentAtMs: number;
  /** Server time of the decision; undefined when the response has none. */
  readonly serverTimeMs: number | undefined;
  /** Undefined in responses of older servers. */
  readonly policy: GracePeriodPolicy | undefined;
  /** Borrowed leases send no heartbeats and end when they expire. */
  readonly borrowed: boolean;
  readonly overdraft: boolean;
  /** The nonce of the request that this answers. */
  readonly nonce?: string | undefined;
}

/** A place in the queue. A repeated checkout with this token keeps the place and claims the seats in turn. */
export interface QueueEntry {
  readonly position: number;
  readonly token: string;
  readonly retryInMs: number;
  /** The nonce of the request that this answers, and of the grant that the server may push later. */
  readonly nonce?: string | undefined;
}

/**
 * A decision of the server, after which the request is not repeated.
 *
 * - `done`: executed;
 * - `queued`: the checkout is in the queue;
 * - `no_seat_available`: an expected outcome of a checkout;
 * - `ended`: the lease no longer exists;
 * - `refused`: a retry would not help (credentials, invalid request).
 */
export type FinalVerdict =
  | { readonly kind: 'done'; readonly grant: Grant | undefined }
  | { readonly kind: 'queued'; readonly entry: QueueEntry }
  | { readonly kind: 'no_seat_available' }
  | { readonly kind: 'ended'; readonly code: string }
  | { readonly kind: 'refused'; readonly status: number; readonly code: string; readonly detail: string };

/**
 * Classification of a response for the retry policy.
 *
 * - `not_granting`: another server may grant, and the response may name its address;
 * - `busy`: retry later at the same server, because another address would only move the load;
 * - `unavailable`: no usable response; the request may have been executed.
 */
export type HttpResponseVerdict =
  | FinalVerdict
  | { readonly kind: 'not_granting'; readonly address: string | undefined; readonly retryAfterMs: number | undefined }
  | { readonly kind: 'busy'; readonly reason: string; readonly retryAfterMs: number | undefined }
  | { readonly kind: 'unavailable'; readonly reason: string; readonly retryAfterMs: number | undefined };

/** The verdict with the nonce of its request, by which its token is verified. */
export function withNonce<Verdict extends { readonly kind: string }>(
  verdict: Verdict | FinalVerdict,
  nonce: string | undefined,
): Verdict | FinalVerdict {
  if (verdict.kind === 'done' && 'grant' in verdict && verdict.grant) {
    return { kind: 'done', grant: { ...verdict.grant, nonce } };
  }
  if (verdict.kind === 'queued' && 'entry' in verdict) return { kind: 'queued', entry: { ...verdict.entry, nonce } };
  return verdict;
}
