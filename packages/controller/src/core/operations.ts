import type { Lsn } from '@evergrant/core/lsn';
import type { Region } from '@evergrant/core/regions';

/** The stages of a failback in their order; a human starts each. */
export const FAILBACK_STAGES = [
  'confirm-fence',
  'archive-database',
  'follow',
  'switchover',
  'restore-follower',
  'arm',
] as const;

export type FailbackStage = (typeof FAILBACK_STAGES)[number];

/** `reopen` is what abandons a hand-over: a new epoch for the region that has just closed its own. */
export type OperationKind = 'failover' | FailbackStage | 'reopen';

export type Phase =
  | 'latch'
  | 'fence'
  | 'drain'
  | 'promote'
  | 'verify'
  | 'open'
  | 'switch'
  | 'complete'
  | 'confirm_fence'
  | 'archive_database'
  | 'build_follower'
  | 'catch_up'
  | 'preflight';

/** Every operation is a list of phases. The hand-over latches only once the new primary database has proved itself. */
export const PHASES_OF: Readonly<Record<OperationKind, readonly Phase[]>> = {
  failover: ['latch', 'fence', 'drain', 'promote', 'verify', 'open', 'switch', 'complete'],
  'confirm-fence': ['confirm_fence', 'complete'],
  'archive-database': ['archive_database', 'complete'],
  follow: ['build_follower', 'catch_up', 'complete'],
  switchover: ['preflight', 'drain', 'promote', 'verify', 'latch', 'open', 'switch', 'fence', 'complete'],
  reopen: ['latch', 'open', 'switch', 'complete'],
  'restore-follower': ['archive_database', 'build_follower', 'catch_up', 'complete'],
  arm: ['preflight', 'complete'],
};

/** One line of the timeline. Times are milliseconds since 1970; `leftAtMs` null: it is in this phase now. */
export interface TimelineEntry {
  readonly phase: Phase;
  readonly enteredAtMs: number;
  readonly leftAtMs: number | null;
}

/** What is known about what was, and was not, carried over. Null: not known (yet). */
export interface Evidence {
  /** First sample of the confirmation, for an automatic failover. */
  readonly detectedAtMs: number | null;
  readonly fence: 'confirmed' | 'pending' | null;
  /** When the origin's epoch was found closed in its own database: nothing was granted there afterwards. */
  readonly originClosedAtMs: number | null;
  /** The origin's position once closed: a target that replays this far has lost nothing. */
  readonly originLsn: Lsn | null;
  readonly receivedLsn: Lsn | null;
  /** When the replayed position was last seen to move. */
  readonly replayMovedAtMs: number | null;
  readonly replayedLsn: Lsn | null;
  readonly lastCommitAtMs: number | null;
  /** `everything`: replayed to originLsn. `all-received`: what had arrived. `part`: the drain ran out of time. */
  readonly carriedOver: 'everything' | 'all_received' | 'part' | null;
  readonly lastRenewalAtMs: number | null;
  /** Since when the follower had no connection to the origin; null: it had one until the promotion. */
  readonly receiverAbsentSinceMs: number | null;
  readonly promotedAtMs: number | null;
  readonly opensAtMs: number | null;
  readonly verifiedFromOutsideAtMs: number | null;
}

export const NO_EVIDENCE: Evidence = {
  detectedAtMs: null,
  fence: null,
  originClosedAtMs: null,
  originLsn: null,
  receivedLsn: null,
  replayMovedAtMs: null,
  replayedLsn: null,
  lastCommitAtMs: null,
  carriedOver: null,
  lastRenewalAtMs: null,
  receiverAbsentSinceMs: null,
  promotedAtMs: null,
  opensAtMs: null,
  verifiedFromOutsideAtMs: null,
};

/** A phase that does not get on: what it sees, since when, and when people were told. */
export interface Stuck {
  readonly observed: string;
  readonly reason: string;
  readonly sinceMs: number;
  readonly alertedAtMs: number | null;
}

/**
 * An operation in progress. Authority goes `fromRegion` @ `fromEpoch` → `toRegion` @ `toEpoch`; stages that move no
 * authority have both regions too: `fromRegion` is the active one, `toRegion` the one that is worked on.
 */
export interface Operation {
  readonly id: string;
  readonly kind: OperationKind;
  readonly by: string;
  readonly reason: string;
  readonly automatic: boolean;
  readonly fromRegion: Region;
  readonly toRegion: Region;
  readonly fromEpoch: number;
  readonly toEpoch: number;
  readonly phase: Phase;
  readonly startedAtMs: number;
  readonly phaseSinceMs: number;
  readonly timeline: readonly TimelineEntry[];
  readonly evidence: Evidence;
  readonly stuck: Stuck | null;
}

/** An operation that has ended, with the sentence that says what it came to. */
export interface OperationReport extends Operation {
  readonly outcome: 'done' | 'superseded' | 'abandoned';
  readonly endedAtMs: number;
  readonly summary: string;
}
