import type { UnprotectedRecord } from './replication-mode';

/**
 * Authority and its proofs (S5). Times here are milliseconds of the server's own monotonic clock.
 */
export interface AuthorityRecord {
  readonly epoch: number;
  readonly region: string;
  /** False between the latch of an epoch and its opening: nobody grants then. */
  readonly open: boolean;
  /** How long ago, when the record was read, every proof of the epochs before had lapsed. Undefined while not open. */
  readonly lapsedAgoMs?: number | undefined;
  /** The last epoch that granted without waiting for the follower, whichever region's it was (S6). */
  readonly unprotected: UnprotectedRecord | undefined;
}

export interface Proofs {
  /** Counted from the moment before the renewal was sent, so that no delay on the way can make it look fresher. */
  readonly renewal?: { readonly epoch: number; readonly provenFromMs: number };
  /**
   * The other region's follower acknowledged a write that was made after this moment. A promoted follower
   * acknowledges nothing, so it had not been promoted then.
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

/** The proof that lasts longest for `epoch`, if any is still fresh. */
export function proofVerdict(proofs: Proofs, epoch: number, { nowMs, authorityLeaseMs }: Freshness): ProofVerdict {
  const renewedUntilMs =
    proofs.renewal?.epoch === epoch ? proofs.renewal.provenFromMs + authorityLeaseMs : Number.NEGATIVE_INFINITY;
  const acknowledgedUntilMs = (proofs.acknowledgement?.provenFromMs ?? Number.NEGATIVE_INFINITY) + authorityLeaseMs;
  const untilMs = Math.max(renewedUntilMs, acknowledgedUntilMs);
  if (untilMs <= nowMs) return { kind: 'stale' };
  return { kind: 'fresh', by: renewedUntilMs >= acknowledgedUntilMs ? 'renewal' : 'acknowledgement', untilMs };
}

/** What has been seen of authority only grows: an older epoch never replaces a newer one. */
export function newerAuthority(known: AuthorityRecord | undefined, seen: AuthorityRecord): AuthorityRecord {
  return known && known.epoch > seen.epoch ? known : seen;
}
