import type { LeaseState } from './core/lease-state';

export type { LeaseState } from './core/lease-state';

export type ReleaseOutcome =
  | { readonly kind: 'released' }
  /** The server does not have it any more, which is what a release is for. */
  | { readonly kind: 'already-gone' }
  /** Nobody could be told: the seats come back when the lease expires. */
  | { readonly kind: 'not-told'; readonly because: string };

/** Seats that are held, kept by heartbeats in the background until they are released or lost. */
export interface Lease {
  /** Changes when seats that had lapsed meanwhile were taken anew (`restored`). */
  readonly id: string;
  readonly product: string;
  readonly feature: string;
  readonly seats: number;
  readonly licenseId: string | undefined;
  readonly state: LeaseState;
  /** The signed proof of the last grant or renewal. */
  readonly token: string;
  readonly epoch: number;
  readonly servedBy: string;
  /** Taken along for offline use: it needs no heartbeats, and ends when its time is over. */
  readonly borrowed: boolean;
  /** Taken beyond the seats that were sold, as the license allows. */
  readonly overdraft: boolean;
  /** What is left of its time, by this machine's monotonic clock; never below 0. */
  readonly expiresInMs: number;
  /** Gives the seats back. Stops the heartbeats at once; asking twice is asking once. Never rejects. */
  release(): Promise<ReleaseOutcome>;
}
