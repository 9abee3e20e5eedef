import type { Lsn } from '@evergrant/core/lsn';
import type { Region } from '@evergrant/core/regions';

/** The stages of a failback, in order. An operator starts each one. */
export const FAILBACK_STAGES = [
  'confirm-fence',
  'archive-database',
  'follow',
  'switchover',
  'restore-follower',
  'arm',
] as const;

export type FailbackStage = (typeof FAILBACK_STAGES)[number];

/**
 * `rejoin` makes the other region a protected standby again. `reopen` follows an abandoned switchover: the region that
 * closed its epoch gets a new one.
 */
export type OperationKind = 'failover' | 'rejoin' | FailbackStage | 'reopen';

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

/** The phases of each operation, in order. A switchover latches only after the new primary database has been verified. */
export const PHASES_OF: Readonly<Record<OperationKind, readonly Phase[]>> = {
  failover: ['latch', 'fence', 'drain', 'promote', 'verify', 'open', 'switch', 'complete'],
  rejoin: ['confirm_fence', 'archive_database', 'build_follower', 'catch_up', 'complete'],
  'confirm-fence': ['confirm_fence', 'complete'],
  'archive-database': ['archive_database', 'complete'],
  follow: ['build_follower', 'catch_up', 'complete'],
  switchover: ['preflight', 'drain', 'promote', 'verify', 'latch', 'open', 'switch', 'fence', 'complete'],
  reopen: ['latch', 'open', 'switch', 'complete'],
  'restore-follower': ['archive_database', 'build_follower', 'catch_up', 'complete'],
  arm: ['preflight', 'complete'],
};

/** One entry of the timeline. Times are milliseconds since 1970; `leftAtMs` is undefined in the present phase. */
export interface TimelineEntry {
  readonly phase: Phase;
  readonly enteredAtMs: number;
  readonly leftAtMs: number | undefined;
}

/** What is known about the data that was carried over. Undefined: not known (yet). */
export interface Evidence {
  /** First sample of the confirmation, for an automatic failover. */
  readonly detectedAtMs: number | undefined;
  readonly fence: 'confirmed' | 'pending' | undefined;
  /** When the origin's epoch was found closed in its own database. Nothing was granted there afterwards. */
  readonly originClosedAtMs: number | undefined;
  /** The origin's position after it was closed. A target that replays this far has lost nothing. */
  readonly originLsn: Lsn | undefined;
  readonly receivedLsn: Lsn | undefined;
  /** When the replayed position was last seen to change. */
  readonly replayMovedAtMs: number | undefined;
  readonly replayedLsn: Lsn | undefined;
  readonly lastCommitAtMs: number | undefined;
  /** `everything`: replayed to originLsn. `all_received`: all that had arrived. `part`: the drain ran out of time. `nothing`: the target did not follow the origin. */
  readonly carriedOver: 'everything' | 'all_received' | 'part' | 'nothing' | undefined;
  readonly lastRenewalAtMs: number | undefined;
  /** Since when the follower had no connection to the origin; undefined: it had one until the promotion. */
  readonly receiverAbsentSinceMs: number | undefined;
  readonly promotedAtMs: number | undefined;
  readonly opensAtMs: number | undefined;
  readonly verifiedFromOutsideAtMs: number | undefined;
}

export const NO_EVIDENCE: Evidence = {
  detectedAtMs: undefined,
  fence: undefined,
  originClosedAtMs: undefined,
  originLsn: undefined,
  receivedLsn: undefined,
  replayMovedAtMs: undefined,
  replayedLsn: undefined,
  lastCommitAtMs: undefined,
  carriedOver: undefined,
  lastRenewalAtMs: undefined,
  receiverAbsentSinceMs: undefined,
  promotedAtMs: undefined,
  opensAtMs: undefined,
  verifiedFromOutsideAtMs: undefined,
};

/** A phase that makes no progress: what it observes, since when, and when an alert was raised. */
export interface Stuck {
  readonly observed: string;
  readonly reason: string;
  readonly sinceMs: number;
  readonly alertedAtMs: number | undefined;
}

/**
 * An operation in progress. Authority moves from `fromRegion` in `fromEpoch` to `toRegion` in `toEpoch`. A stage that
 * moves no authority has both regions too: `fromRegion` is the active one, `toRegion` the one that is worked on.
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
  readonly stuck: Stuck | undefined;
}

/** An operation that has ended, with its result in one sentence. */
export interface OperationReport extends Operation {
  readonly outcome: 'done' | 'superseded' | 'abandoned';
  readonly endedAtMs: number;
  readonly summary: string;
}
