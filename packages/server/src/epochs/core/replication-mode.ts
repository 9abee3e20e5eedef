/** S6: what the authority store keeps of grants that no follower had: the epoch that was the last to make some. */
export interface UnprotectedRecord {
  readonly epoch: number;
  /** When it was written last, as the store has it; it is cleared only while it still says so. */
  readonly since: string;
}

export interface ProtectionFacts {
  /** The open epoch of this region. */
  readonly epoch: number;
  /** Since the follower last proved that it has everything up to a moment; or since this server began to look. */
  readonly acknowledgedAgoMs: number;
  /** Since it was last seen streaming. */
  readonly streamedAgoMs: number;
  /** Whether grants of the epoch wait for the follower, by the database's word, and how often that has changed. */
  readonly row: { readonly unprotected: boolean; readonly changes: number };
  readonly record: UnprotectedRecord | undefined;
}

export interface ProtectionPolicy {
  /**
   * The follower is gone when it has not streamed for so long; one that streams and acknowledges nothing is given two
   * authority leases at least. 0: grants always wait for it.
   */
  readonly unprotectedAfterMs: number;
  readonly authorityLeaseMs: number;
}

export type ProtectionStep =
  | { readonly kind: 'none' }
  /** Record it in the authority store; only then let grants go without waiting. */
  | { readonly kind: 'grant_unprotected'; readonly seenChanges: number }
  /** Let grants wait again; clear the record only when the follower has everything that was granted before. */
  | { readonly kind: 'protect'; readonly since: string | undefined };

/** Whether grants of the epoch should begin or cease to go without waiting for the follower (S6). */
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
