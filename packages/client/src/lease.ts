import type { LeaseState } from './core/lease-state';

export type { LeaseState } from './core/lease-state';

export type ReleaseOutcome =
  | { readonly kind: 'released' }
  /** The server no longer has the lease. */
  | { readonly kind: 'already-gone' }
  /** No server confirmed the release. The seats become free when the lease expires. */
  | { readonly kind: 'not-told'; readonly because: string };

/** Seats that the client holds and renews with heartbeats until they are released or lost. */
export interface Lease {
  /** Changes when expired seats are checked out again (`restored`). */
  readonly id: string;
  readonly product: string;
  readonly feature: string;
  readonly seats: number;
  readonly licenseId: string | undefined;
  readonly state: LeaseState;
  /** Signed token of the last grant or renewal. */
  readonly token: string;
  readonly epoch: number;
  readonly servedBy: string;
  /** Borrowed for offline use: no heartbeats are sent, and the lease ends when it expires. */
  readonly borrowed: boolean;
  /** Granted from the license's overdraft, beyond the seats that were sold. */
  readonly overdraft: boolean;
  /** Remaining time by the monotonic clock of this machine; never below 0. */
  readonly expiresInMs: number;
  /** Releases the seats and stops heartbeats immediately. Repeated calls return the same result. Never rejects. */
  release(): Promise<ReleaseOutcome>;
}
