/**
 * A lease: a time-bound right to seats of a pool, held by a holder. Times are milliseconds of the database's clock.
 */
export type LeaseState = 'live' | 'released' | 'expired';

export interface Lease {
  readonly id: string;
  readonly poolId: number;
  readonly holder: string;
  readonly seats: number;
  /** The pool's `grant_seq` after this grant: it counts seats, not requests (S1). */
  readonly seq: number;
  /** The epoch of the last grant or renewal. */
  readonly epoch: number;
  readonly expiresAtMs: number;
  readonly state: LeaseState;
}

/** What a verified lease token says. It proves a grant that this database may never have seen (S3). */
export interface LeaseClaim {
  readonly leaseId: string;
  readonly product: string;
  readonly feature: string;
  readonly holder: string;
  readonly seats: number;
  readonly seq: number;
  readonly epoch: number;
  readonly expiresAtMs: number;
}

export type LeaseStanding = 'live' | 'lease_expired' | 'lease_released';

/** A lease past its time has ended even while no sweeper has come by to say so. */
export function standingOf(lease: Pick<Lease, 'state' | 'expiresAtMs'>, nowMs: number): LeaseStanding {
  if (lease.state === 'released') return 'lease_released';
  if (lease.state === 'expired' || lease.expiresAtMs <= nowMs) return 'lease_expired';
  return 'live';
}

/** A renewal never shortens: the opening of an epoch may have extended the lease beyond its TTL (S4). */
export function renewedUntilMs(lease: { expiresAtMs: number }, nowMs: number, leaseTtlMs: number): number {
  return Math.max(lease.expiresAtMs, nowMs + leaseTtlMs);
}
