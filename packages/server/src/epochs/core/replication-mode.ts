/** The authority store's record of the last epoch that granted without waiting for the follower (S6). */
export interface UnprotectedRecord {
  readonly epoch: number;
  /** When the record was last written, in the store's format. The record is cleared only if this value is unchanged. */
  readonly since: string;
}

export interface ProtectionFacts {
  /** The open epoch of this region. */
  readonly epoch: number;
  /** Time since the follower's last proof that it has everything up to a moment, or since this server started. */
  readonly acknowledgedAgoMs: number;
  /** Time since the follower was last seen streaming. */
  readonly streamedAgoMs: number;
  /** The epoch's row: whether grants skip the wait for the follower, and how often protection was restored. */
  readonly row: { readonly unprotected: boolean; readonly changes: number };
  readonly record: UnprotectedRecord | undefined;
}

export interface ProtectionPolicy {
  /**
   * The follower counts as gone when it has not streamed for this long. A follower that streams and acknowledges
   * nothing counts as gone after at least two authority leases. 0: grants always wait for the follower.
   */
  readonly unprotectedAfterMs: number;
  readonly authorityLeaseMs: number;
}

export type ProtectionStep =
  | { readonly kind: 'none' }
  /** Record the mode in the authority store, and only then let grants skip the wait. */
  | { readonly kind: 'grant_unprotected'; readonly seenChanges: number }
  /** Restore the wait. Clear the record only when the follower has every grant made before. */
  | { readonly kind: 'protect'; readonly since: string | undefined };

/** Decides whether the epoch's grants should start or stop skipping the wait for the follower (S6). */
export function protectionStep(
  { epoch, acknowledgedAgoMs, streamedAgoMs, row, record }: ProtectionFacts,
  { unprotectedAfterMs, authorityLeaseMs }: ProtectionPolicy,
): ProtectionStep {
  const silentAfterMs = Math.max(unprotectedAfterMs, 2 * authorityLeaseMs);
  const gone = streamedAgoMs > unprotectedAfterMs || acknowledgedAgoMs > silentAfterMs;
  if (unprotectedAfterMs > 0 && gone) {
    return row.unprotected ? { kind: 'none' } : { kind: 'grant_unprotected', seenChanges: row.changes };
  }
  const recorded = record?.epoch === epoch;
  const back = acknowledgedAgoMs < authorityLeaseMs;
  if (back && (row.unprotected || recorded)) {
    return { kind: 'protect', since: recorded ? record.since : undefined };
  }
  return { kind: 'none' };
}
