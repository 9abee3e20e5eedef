import type { Lsn } from '@evergrant/core/lsn';
import { down, type Fact, unknown, up } from './facts';
import type { Policy } from './policy';

/** The newest row of the license database's epoch table. */
export interface EpochRow {
  readonly epoch: number;
  readonly region: string;
  readonly closed: boolean;
}

/** A follower's connection to its primary database. Times are milliseconds since 1970 on the follower's clock. */
export interface ReceiverView {
  /** Null: there is a connection, and the rights to see more are missing. */
  readonly status: string | null;
  readonly lastMessageAtMs: number | null;
}

export interface FollowerView {
  readonly kind: 'follower';
  readonly serverNowMs: number;
  /** Null: it has received nothing since it started. */
  readonly receivedLsn: Lsn | null;
  readonly replayedLsn: Lsn | null;
  readonly replayPaused: boolean;
  /** Commit time of the last transaction replayed, by the old primary's clock. */
  readonly lastCommitAtMs: number | null;
  readonly receiver: ReceiverView | null;
  readonly epoch: EpochRow | null;
}

export interface PrimaryView {
  readonly kind: 'primary';
  readonly serverNowMs: number;
  readonly flushedLsn: Lsn;
  readonly epoch: EpochRow | null;
}

/**
 * What SQL over the network said about one database.
 *
 * - `unreachable`: refused, timed out, cut off, starting up or shutting down: evidence that it is down.
 * - `busy`: it answered that it has no connection left: alive, but not to be asked.
 * - `unknown`: our own credentials, names or configuration failed: no evidence at all.
 */
export type DatabaseView =
  | { readonly kind: 'unreachable'; readonly reason: string }
  | { readonly kind: 'busy'; readonly reason: string }
  | { readonly kind: 'unknown'; readonly reason: string }
  | FollowerView
  | PrimaryView;

/** Is the primary database of the active region alive? */
export function databaseFact(view: DatabaseView): Fact {
  switch (view.kind) {
    case 'primary':
      return up('it answers and is writable');
    case 'busy':
      return up(`it answers, though it is full: ${view.reason}`);
    case 'unreachable':
      return down(view.reason);
    case 'follower':
      return unknown('it answers, but it follows another database');
    case 'unknown':
      return unknown(view.reason);
  }
}

/** Does the follower hear its primary database? Silence is measured on the follower's own clock. */
export function followerFact(view: DatabaseView, policy: Policy): Fact {
  if (view.kind === 'primary') return unknown('the follower is a primary database already');
  if (view.kind !== 'follower') return unknown(`the follower could not be asked: ${view.reason}`);
  const { receiver } = view;
  if (receiver === null) return down('the follower has no connection to its primary database');
  if (receiver.status === null)
    return unknown('the follower does not let us see its connection: pg_monitor is missing');
  if (receiver.status !== 'streaming') return down(`the follower's connection is ${receiver.status}`);
  if (receiver.lastMessageAtMs === null) return unknown('the follower streams, but cannot say since when');
  const silentMs = view.serverNowMs - receiver.lastMessageAtMs;
  return silentMs <= policy.followerSilentAfterMs
    ? up(`the follower heard its primary database ${silentMs} ms ago`)
    : down(`the follower has heard nothing for ${silentMs} ms`);
}

/** The database's half of the gate: only a follower that is reachable and replays can be promoted. */
export function promotableFact(view: DatabaseView): Fact {
  switch (view.kind) {
    case 'follower':
      return view.replayPaused
        ? down("the follower's replay is paused: a promotion would hang")
        : up('a follower, replaying');
    case 'primary':
      return down('the database of the standby is no follower: it is a primary database already');
    case 'busy':
    case 'unreachable':
      return down(`the follower could not be reached: ${view.reason}`);
    case 'unknown':
      return unknown(`the follower could not be asked: ${view.reason}`);
  }
}
