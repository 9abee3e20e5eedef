/** A result of a verification: a code for programs and a sentence for people. */
export interface Finding {
  readonly code: FindingCode;
  readonly chain: string;
  /** The event concerned, or the first of several. */
  readonly seq: number | null;
  readonly text: string;
}

/** The meaning of each finding code. docs/audit.md explains what to do. */
export const FINDING_MEANINGS = {
  unreadable: 'a line of the export is damaged, or another program wrote it',
  event_changed: 'an event was changed after it was written, and its hash was not',
  link_broken: 'an event was replaced, or the history before it was rewritten',
  events_missing: 'events were removed',
  event_duplicated: 'an event appears twice',
  events_reordered: 'events are not in the order in which they happened',
  epoch_backwards: 'an event has an older epoch than the one before it: the database did not write it',
  chain_headless: 'the first events of the chain were removed',
  chain_rewritten: 'the history was rewritten: a signed checkpoint covers a different event',
  chain_truncated: 'the newest events were removed, or the database was replaced with an older copy',
  chain_missing: 'a whole chain was removed, or the database was replaced with an older copy',
  loss_undeclared: 'events of an earlier epoch were lost with a region and not declared, or a failover hides a removal',
  loss_misdeclared: 'a declared loss does not match the missing events',
  checkpoint_forged: 'a checkpoint was not signed by a license server, or was changed',
  checkpoint_missing: 'a checkpoint was removed from the authority store',
  checkpoint_reordered: 'the checkpoints contradict each other: the chain was set back between them',
  checkpoint_overdue: 'events have waited too long for a checkpoint; until then no signature covers them',
  accounting_mismatch: 'rows or counters were changed without the triggers that write the log',
} as const satisfies Record<string, string>;

export type FindingCode = keyof typeof FINDING_MEANINGS;

/** A loss that the log itself declares. It is not a finding, but it is reported. */
export interface DeclaredLoss {
  readonly chain: string;
  readonly epoch: number;
  readonly lastSeq: number;
  readonly checkpointSeq: number;
}

/** Events of `epoch` after `since` may have been lost with a region, without a checkpoint that proves it. */
export interface UnknownTail {
  readonly epoch: number;
  /** Time of the newest event that was not lost, ISO 8601. */
  readonly since: string;
}

export function finding(code: FindingCode, chain: string, seq: number | null, text: string): Finding {
  return { code, chain, seq, text };
}
