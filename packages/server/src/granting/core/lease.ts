/**
 * A lease: a time-bound right to seats of a pool, held by a holder. Times are milliseconds of the database's clock.
 */
export type LeaseRecordState = 'live' | 'released' | 'expired';

export interface Lease {
  readonly id: string;
  readonly poolId: number;
  readonly holder: string;
  /** Undefined when the API token of the checkout belongs to no Control Room. */
  readonly controlRoom: string | undefined;
  /** The stable name of the installation that holds the lease, if the request gave one. */
  readonly identity: string | undefined;
  readonly seats: number;
  /** True when the checkout took seats beyond those sold. */
  readonly overdraft: boolean;
  /** Checked out for offline use. The lease lasts until its end without heartbeats. */
  readonly borrowed: boolean;
  /** The pool's `grant_seq` after this grant: it counts seats, not requests (S1). */
  readonly seq: number;
  /** The epoch of the last grant or renewal. */
  readonly epoch: number;
  readonly expiresAtMs: number;
  readonly state: LeaseRecordState;
  /**
   * How often the lease was given to another checkout of the same installation. In an answer: the handover of the
   * caller, which may be an earlier one. @default 0
   */
  readonly handover?: number | undefined;
  /**
   * Set while the lease is in doubt: it may have ended in a lost region. A token that is valid beyond this moment
   * proves it.
   */
  readonly mustOutliveMs?: number | undefined;
  /** Marked to end against its holder's will: it is not renewed, and its seats stay taken until it ends. */
  readonly ending?: boolean | undefined;
}

/** The claims of a verified lease token. They prove a grant that this database may not have (S3). */
export interface LeaseClaim {
  readonly leaseId: string;
  /** Undefined in tokens of releases that supported one license per feature. */
  readonly licenseId: string | undefined;
  readonly product: string;
  readonly feature: string;
  readonly holder: string;
  readonly controlRoom: string | undefined;
  readonly identity: string | undefined;
  readonly borrowed: boolean;
  readonly seats: number;
  readonly seq: number;
  readonly epoch: number;
  readonly expiresAtMs: number;
  /** The handover that the token was signed for. @default 0 */
  readonly handover?: number | undefined;
}

export type LeaseValidity = 'live' | 'lease_expired' | 'lease_released';

/** A lease past its end counts as expired, also before the sweeper has ended it. */
export function validityOf(lease: Pick<Lease, 'state' | 'expiresAtMs' | 'ending'>, nowMs: number): LeaseValidity {
  if (lease.state === 'released' || lease.ending) return 'lease_released';
  if (lease.state === 'expired' || lease.expiresAtMs <= nowMs) return 'lease_expired';
  return 'live';
}

/** True when the lease is not in doubt, or a token with this expiry proves it (S4). */
export function isProven({ mustOutliveMs }: Pick<Lease, 'mustOutliveMs'>, tokenUntilMs: number | undefined): boolean {
  return mustOutliveMs === undefined || (tokenUntilMs !== undefined && tokenUntilMs > mustOutliveMs);
}

interface LeaseTerms {
  readonly leaseTtlMs: number;
  readonly validUntilMs: number;
}

/** The end of a new lease. No lease outlasts its license. */
export function grantedUntilMs(nowMs: number, { leaseTtlMs, validUntilMs }: LeaseTerms): number {
  return Math.min(nowMs + leaseTtlMs, validUntilMs);
}

/**
 * The end of a renewed lease. A renewal never shortens a lease, because the opening of an epoch may have extended it
 * beyond its TTL (S4). Only the end of the license limits it. A renewal does not change the end of a borrowed lease.
 */
export function renewedUntilMs(
  lease: Pick<Lease, 'expiresAtMs' | 'borrowed'>,
  nowMs: number,
  terms: LeaseTerms,
): number {
  if (lease.borrowed) return lease.expiresAtMs;
  return Math.min(Math.max(lease.expiresAtMs, nowMs + terms.leaseTtlMs), terms.validUntilMs);
}

/** Why a lease is ended by a request. The database ends expired leases. */
export type LeaseEnd =
  | { readonly kind: 'released' }
  /** An administrator took the seats back. */
  | { readonly kind: 'forced'; readonly reason: string }
  /** The session that held the lease closed without a close frame. */
  | { readonly kind: 'disconnected' };

/** The text in the lease's row and in the audit log. */
export function endedBecause(end: LeaseEnd): string {
  return end.kind === 'forced' ? `forced: ${end.reason}` : end.kind;
}
