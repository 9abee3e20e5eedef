import { compareLsn } from '@evergrant/core/lsn';
import { type FollowerView, followerFact, type PrimaryView } from './database-view';
import { type Context, type Finding, followerEvidence } from './finding';
import type { PhaseViews } from './phase-views';

/**
 * How far the follower has come with what the origin had granted. While the origin answers, it is closed first and its
 * position becomes the target; when it does not, all that can be done is to replay what has arrived.
 */
export function classifyDrain({ origin, target }: PhaseViews['drain'], context: Context): Finding<'drain'> {
  const { operation } = context;
  if (target.kind === 'primary') {
    return operation.kind === 'switchover'
      ? {
          observed: 'target_primary_before_switchover',
          reason: `${operation.toRegion}'s database is a primary already`,
        }
      : { observed: 'target_already_primary', reason: `${operation.toRegion}'s database is a primary already` };
  }
  if (target.kind !== 'follower') return { observed: 'target_unreachable', reason: target.reason };
  if (origin.kind === 'primary') return withOrigin(origin, target, context);
  return withoutOrigin(target, origin.kind === 'follower' ? 'it follows another database' : origin.reason, context);
}

function withOrigin(origin: PrimaryView, target: FollowerView, context: Context): Finding<'drain'> {
  const { operation, nowMs } = context;
  const learned = followerEvidence(target, context);
  const row = origin.epoch;
  const closed = row !== null && (row.epoch > operation.fromEpoch || (row.epoch === operation.fromEpoch && row.closed));
  // A living origin that cannot be closed (its commits hang, say) must not hold up a failover for ever.
  if (!closed && isOutOfTime(context)) return outOfTime(target, learned);
  if (!closed) return { observed: 'origin_open', reason: `${operation.fromRegion}'s database answers`, learned };
  const originLsn = operation.evidence.originLsn ?? origin.flushedLsn;
  const closing = { ...learned, originLsn, originClosedAtMs: operation.evidence.originClosedAtMs ?? nowMs };
  if (hasReplayed(target, originLsn)) return carriedOver(originLsn, closing);
  if (target.replayPaused) return { observed: 'replay_paused', reason: 'its replay is paused', learned: closing };
  if (isOutOfTime(context)) return outOfTime(target, closing);
  const reason = `replayed ${target.replayedLsn} of ${originLsn}`;
  return { observed: 'target_behind_closed_origin', reason, learned: closing };
}

function withoutOrigin(target: FollowerView, lost: string, context: Context): Finding<'drain'> {
  const { operation, policy, nowMs } = context;
  const learned = followerEvidence(target, context);
  const { originLsn } = operation.evidence;
  if (originLsn !== null && hasReplayed(target, originLsn)) return carriedOver(originLsn, learned);
  if (target.replayPaused) return { observed: 'replay_paused', reason: 'its replay is paused', learned };
  if (operation.kind === 'switchover') {
    return { observed: 'origin_lost_in_switchover', reason: `${operation.fromRegion}'s database: ${lost}`, learned };
  }
  if (isOutOfTime(context)) return outOfTime(target, learned);
  if (followerFact(target, policy).reading !== 'down') {
    return { observed: 'origin_lost_still_receiving', reason: `at ${target.receivedLsn}`, learned };
  }
  // The log may end in the middle of a record, which can never be replayed: a replay at rest has done what it could.
  const atRest = nowMs - (learned.replayMovedAtMs ?? nowMs) >= policy.drainAtRestMs;
  if (target.receivedLsn === null || hasReplayed(target, target.receivedLsn) || atRest) {
    return {
      observed: 'all_received_replayed',
      reason: `replayed ${target.replayedLsn} of ${target.receivedLsn} received`,
      learned: { ...learned, carriedOver: 'all_received' },
    };
  }
  const reason = `replayed ${target.replayedLsn} of ${target.receivedLsn} received`;
  return { observed: 'origin_lost_still_replaying', reason, learned };
}

function hasReplayed(target: FollowerView, lsn: string): boolean {
  return target.replayedLsn !== null && compareLsn(target.replayedLsn, lsn) >= 0;
}

/** A hand-over has all the time it needs; a failover's customers are waiting. */
function isOutOfTime({ operation, policy, nowMs }: Context): boolean {
  return operation.kind === 'failover' && nowMs - operation.phaseSinceMs > policy.drainMaxMs;
}

function carriedOver(originLsn: string, learned: Finding['learned']): Finding<'drain'> {
  const reason = `all of the origin's log up to ${originLsn} is replayed`;
  return { observed: 'carried_over', reason, learned: { ...learned, carriedOver: 'everything' } };
}

function outOfTime(target: FollowerView, learned: Finding['learned']): Finding<'drain'> {
  const reason = `it has received ${target.receivedLsn} and replayed ${target.replayedLsn}`;
  return { observed: 'out_of_time', reason, learned: { ...learned, carriedOver: 'part' } };
}
