import type { Lsn } from '@evergrant/core/lsn';
import { down, type Fact, unknown, up } from './facts';
import type { Policy } from './policy';

/** The newest row of the license database's epoch table. */
export interface EpochRowView {
  readonly epoch: number;
  readonly region: string;
  readonly closed: boolean;
}

/** A follower's connection to its primary database. Times are milliseconds since 1970 on the follower's clock. */
export interface ReceiverView {
  /** Undefined: there is a connection, and the controller lacks the permission to see more. */
  readonly status: string | undefined;
  readonly lastMessageAtMs: number | undefined;
}

export interface FollowerView {
  readonly kind: 'follower';
  readonly serverNowMs: number;
  /** Undefined: it has received nothing since it started. */
  readonly receivedLsn: Lsn | undefined;
  readonly replayedLsn: Lsn | undefined;
  readonly replayPaused: boolean;
  /** Commit time of the last transaction replayed, by the old primary's clock. */
  readonly lastCommitAtMs: number | undefined;
  readonly receiver: ReceiverView | undefined;
  readonly epoch: EpochRowView | undefined;
}

export interface PrimaryView {
  readonly kind: 'primary';
  readonly serverNowMs: number;
  readonly flushedLsn: Lsn;
  readonly epoch: EpochRowView | undefined;
}

/**
 * The state of one database, as SQL over the network finds it.
 *
 * - `unreachable`: refused, timed out, cut off, starting up or shutting down: evidence that it is down.
 * - `busy`: it answered that it has no connection left: it is alive, and its state cannot be queried.
 * - `unknown`: our own credentials, names or configuration failed: no evidence.
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

/** Does the follower receive from its primary database? Silence is measured on the follower's own clock. */
export function followerFact(view: DatabaseView, policy: Policy): Fact {
  if (view.kind === 'primary') return unknown('the follower is a primary database already');
  if (view.kind !== 'follower') return unknown(`the follower could not be queried: ${view.reason}`);
  const { receiver } = view;
  if (receiver === undefined) return down('the follower has no connection to its primary database');
  if (receiver.status === undefined) return unknown("the follower's connection is not visible: pg_monitor is missing");
  if (receiver.status !== 'streaming') return down(`the follower's connection is ${receiver.status}`);
  if (receiver.lastMessageAtMs === undefined) return unknown('the follower streams, and the last message has no time');
  const silentMs = view.serverNowMs - receiver.lastMessageAtMs;
  return silentMs <= policy.followerSilentAfterMs
    ? up(`the follower received a message from its primary database ${silentMs} ms ago`)
    : down(`the follower has received no message for ${silentMs} ms`);
}

/** The same when a loss is accepted: a primary database of an earlier epoch may take over with what it has. */
export function writableOrPromotableFact(view: DatabaseView): Fact {
  return view.kind === 'primary' ? up('a primary database of an earlier epoch') : promotableFact(view);
}

/** The database's part of the gate: only a follower that answers and replays can be promoted. */
export function promotableFact(view: DatabaseView): Fact {
  switch (view.kind) {
    case 'follower':
      return view.replayPaused
        ? down("the follower's replay is paused, which would block a promotion")
        : up('a follower, replaying');
    case 'primary':
      return down('the database of the standby is a primary database, not a follower');
    case 'busy':
    case 'unreachable':
      return down(`the follower could not be reached: ${view.reason}`);
    case 'unknown':
      return unknown(`the follower could not be queried: ${view.reason}`);
  }
}
