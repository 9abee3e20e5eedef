/** What a verification found, for programs by its code and for people in a sentence. */
export interface Finding {
  readonly code: FindingCode;
  readonly chain: string;
  /** The event it is about, or the first of several. */
  readonly seq: number | null;
  readonly text: string;
}

/** What each finding means, beyond the sentence that names the place; docs/audit.md says what to do. */
export const FINDING_MEANINGS = {
  unreadable: 'a line of the export is damaged, or was written by something else',
  event_changed: 'somebody changed an event after it was written, without hiding it',
  link_broken: 'an event was replaced, or the history before it was written anew',
  events_missing: 'events were removed',
  event_duplicated: 'an event stands there twice',
  events_reordered: 'events do not stand in the order in which they happened',
  epoch_backwards: 'an event claims an older epoch than the one before it: it was not written by the database',
  chain_headless: 'the beginning of the chain was removed',
  chain_rewritten: 'the history was written anew: a signed checkpoint remembers another one',
  chain_truncated: 'the newest events were removed, or an older copy of the database was put in its place',
  chain_missing: 'a whole chain was removed, or an older copy of the database was put in its place',
  loss_undeclared:
    'events of an earlier epoch were lost with a region, and nothing says so; or a failover hides a removal',
  loss_misdeclared: 'what is declared as lost does not agree with what is missing',
  checkpoint_forged: 'a checkpoint was not signed by a license server, or was changed',
  checkpoint_missing: 'a checkpoint was removed from the authority store',
  checkpoint_reordered: 'the checkpoints contradict each other: the chain was set back in between',
  checkpoint_overdue: 'events have waited for their checkpoint for too long: until it is there, nothing proves them',
  accounting_mismatch: 'rows were changed past the triggers that write the log, or the counts were',
} as const satisfies Record<string, string>;

export type FindingCode = keyof typeof FINDING_MEANINGS;

/** A loss that the log itself declares: no finding, and still worth a look. */
export interface DeclaredLoss {
  readonly chain: string;
  readonly epoch: number;
  readonly lastSeq: number;
  readonly checkpointSeq: number;
}

export function finding(code: FindingCode, chain: string, seq: number | null, text: string): Finding {
  return { code, chain, seq, text };
}
