/**
 * A lease: a time-bound right to seats of a pool, held by a holder. Times are milliseconds of the database's clock.
 */
export type LeaseState = 'live' | 'released' | 'expired';

export interface Lease {
  readonly id: string;
  readonly poolId: number;
  readonly holder: string;
  /** Undefined: taken with an API token that belongs to no Control Room. */
  readonly controlRoom: string | undefined;
  /** The stable name of the installation that holds it, if it has told one. */
  readonly identity: string | undefined;
  readonly seats: number;
  /** Taken when more seats were held than were sold. */
  readonly overdraft: boolean;
  /** Taken for offline use: it lasts until its own end, without a heartbeat. */
  readonly borrowed: boolean;
  /** The pool's `grant_seq` after this grant: it counts seats, not requests (S1). */
  readonly seq: number;
  /** The epoch of the last grant or renewal. */
  readonly epoch: number;
  readonly expiresAtMs: number;
  readonly state: LeaseState;
  /**
   * How often the lease was given to another checkout of the same installation. In an answer: the handover of the caller,
   * which may be an earlier one. @default 0
   */
  readonly handover?: number | undefined;
  /** In doubt: it may have ended in a lost region, unless its holder has a token that is good beyond this moment. */
  readonly mustOutliveMs?: number | undefined;
}

/** What a verified lease token says. It proves a grant that this database may never have seen (S3). */
export interface LeaseClaim {
  readonly leaseId: string;
  /** Undefined in the tokens of a release that knew one license a feature. */
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

/** A lease past its time has ended even while no sweeper has come by to say so. */
export function validityOf(lease: Pick<Lease, 'state' | 'expiresAtMs'>, nowMs: number): LeaseValidity {
  if (lease.state === 'released') return 'lease_released';
  if (lease.state === 'expired' || lease.expiresAtMs <= nowMs) return 'lease_expired';
  return 'live';
}

/** Whether a lease in doubt is proven by a token that is good until then (S4). */
export function isProven({ mustOutliveMs }: Pick<Lease, 'mustOutliveMs'>, tokenUntilMs: number | undefined): boolean {
  return mustOutliveMs === undefined || (tokenUntilMs !== undefined && tokenUntilMs > mustOutliveMs);
}

interface LeaseTerms {
  readonly leaseTtlMs: number;
  readonly validUntilMs: number;
}

/** No lease outlasts its license. */
export function grantedUntilMs(nowMs: number, { leaseTtlMs, validUntilMs }: LeaseTerms): number {
  return Math.min(nowMs + leaseTtlMs, validUntilMs);
}

/**
 * A renewal does not shorten, since the opening of an epoch may have extended the lease beyond its TTL (S4), but for the
 * end of the license. What is borrowed has its own end, and a renewal does not move it.
 */
export function renewedUntilMs(
  lease: Pick<Lease, 'expiresAtMs' | 'borrowed'>,
  nowMs: number,
  terms: LeaseTerms,
): number {
  if (lease.borrowed) return lease.expiresAtMs;
  return Math.min(Math.max(lease.expiresAtMs, nowMs + terms.leaseTtlMs), terms.validUntilMs);
}

/** Why a lease ends, by its holder's will or another's. Expiry is the database's. */
export type LeaseEnd =
  | { readonly kind: 'released' }
  /** An administrator took the seats back. */
  | { readonly kind: 'forced'; readonly reason: string }
  /** The session that held it closed unasked. */
  | { readonly kind: 'disconnected' };

/** As the lease's row and the audit tell it. */
export function endedBecause(end: LeaseEnd): string {
  return end.kind === 'forced' ? `forced: ${end.reason}` : end.kind;
}
