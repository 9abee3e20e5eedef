import type { UnprotectedRecord } from './replication-mode';

/**
 * The authority record, as the authority store returned it (S5). Times are milliseconds of the server's own monotonic
 * clock.
 */
export interface AuthorityRecord {
  readonly epoch: number;
  readonly region: string;
  /** False between the latch of an epoch and its opening. No server grants then. */
  readonly open: boolean;
  /**
   * Lower bound, when the record was read, on the time since the last proof of any earlier epoch expired. Undefined
   * while not open.
   */
  readonly lapsedAgoMs?: number | undefined;
  /** The last epoch, of either region, that granted without waiting for the follower (S6). */
  readonly unprotected: UnprotectedRecord | undefined;
}

export interface Proofs {
  /** Counted from the moment before the renewal was sent, so that network delay never makes the proof look fresher. */
  readonly renewal?: { readonly epoch: number; readonly provenFromMs: number };
  /**
   * The other region's follower acknowledged a write made after this moment. A promoted follower acknowledges nothing,
   * so the follower was not promoted at this moment.
   */
  readonly acknowledgement?: { readonly provenFromMs: number };
}

export interface Freshness {
  readonly nowMs: number;
  readonly authorityLeaseMs: number;
}

export type ProofVerdict =
  | { readonly kind: 'fresh'; readonly by: 'renewal' | 'acknowledgement'; readonly untilMs: number }
  | { readonly kind: 'stale' };

/** Returns the proof of `epoch` that expires last, if it is still fresh. */
export function proofVerdict(proofs: Proofs, epoch: number, { nowMs, authorityLeaseMs }: Freshness): ProofVerdict {
  const renewedUntilMs =
    proofs.renewal?.epoch === epoch ? proofs.renewal.provenFromMs + authorityLeaseMs : Number.NEGATIVE_INFINITY;
  const acknowledgedUntilMs = (proofs.acknowledgement?.provenFromMs ?? Number.NEGATIVE_INFINITY) + authorityLeaseMs;
  const untilMs = Math.max(renewedUntilMs, acknowledgedUntilMs);
  if (untilMs <= nowMs) return { kind: 'stale' };
  return { kind: 'fresh', by: renewedUntilMs >= acknowledgedUntilMs ? 'renewal' : 'acknowledgement', untilMs };
}

/** Returns the record with the newer epoch. An older epoch never replaces a newer one. */
export function newerAuthority(known: AuthorityRecord | undefined, seen: AuthorityRecord): AuthorityRecord {
  return known && known.epoch > seen.epoch ? known : seen;
}
