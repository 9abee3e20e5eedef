import { compareLsn } from '@evergrant/core/lsn';
import { type FollowerView, followerFact, type PrimaryView } from '../core/database-view';
import { followerEvidence } from '../core/follower-evidence';
import { type DatabasesView, observeDatabases } from './observe-databases';
import type { PhaseContext, PhaseDefinition, PhaseFinding } from './phase';

type Observed =
  | 'origin_open'
  | 'target_behind_closed_origin'
  | 'carried_over'
  | 'origin_lost_still_receiving'
  | 'origin_lost_still_replaying'
  | 'all_received_replayed'
  | 'out_of_time'
  | 'origin_lost_in_switchover'
  | 'replay_paused'
  | 'target_unreachable'
  | 'target_already_primary'
  | 'target_primary_before_switchover';

/** Carries over what the origin granted: closes the origin if it answers, and lets the follower replay. */
export const drain: PhaseDefinition<DatabasesView, Observed, 'close_epoch'> = {
  observe: observeDatabases,
  classify,
  transitions: {
    origin_open: {
      effect: 'close_epoch',
      next: 'stay',
      why: 'A living origin stops granting in one transaction; all that it granted can then be carried over.',
    },
    target_behind_closed_origin: {
      effect: 'none',
      next: 'stay',
      why: 'The origin grants no more and its log still flows: nothing needs to be lost.',
    },
    carried_over: { effect: 'none', next: 'next', why: 'The follower has replayed all that the origin ever granted.' },
    origin_lost_still_receiving: {
      effect: 'none',
      next: 'stay',
      why: 'The origin does not answer, but its log still arrives: each byte may hold a lease.',
    },
    origin_lost_still_replaying: {
      effect: 'none',
      next: 'stay',
      why: 'The received log is replayed first, so that the evidence is exact.',
    },
    all_received_replayed: { effect: 'none', next: 'next', why: 'All that arrived is replayed; no more will arrive.' },
    out_of_time: {
      effect: 'none',
      next: 'next',
      why: 'Customers wait. The promotion replays the rest of the received log, and the report names what did not arrive.',
    },
    origin_lost_in_switchover: {
      effect: 'none',
      next: 'stay',
      why: 'A switchover must lose nothing: it waits for the origin, or an operator abandons it.',
    },
    replay_paused: {
      effect: 'none',
      next: 'stay',
      why: 'A paused replay would block the promotion: an operator must resume it.',
    },
    target_unreachable: { effect: 'none', next: 'stay', why: 'Without the follower there is no database to promote.' },
    target_already_primary: {
      effect: 'none',
      next: 'next',
      why: 'The follower has been promoted already: it cannot receive any more.',
    },
    target_primary_before_switchover: {
      effect: 'none',
      next: 'stay',
      why: 'A target that stopped following before the origin stopped granting lacks grants: it must not take over.',
    },
  },
  effects: {
    close_epoch: ({ ports, operation }) => ports.databases.closeEpoch(operation.fromRegion, operation.fromEpoch),
  },
};

/**
 * Compares the follower with what the origin granted. While the origin answers, it is closed first and its position
 * becomes the goal. If it does not answer, the goal is what the follower has received.
 */
function classify({ origin, target }: DatabasesView, context: PhaseContext): PhaseFinding<Observed> {
  const { operation } = context;
  if (target.kind === 'primary') {
    const reason = `${operation.toRegion}'s database is a primary already`;
    return operation.kind === 'switchover'
      ? { observed: 'target_primary_before_switchover', reason }
      : {
          observed: 'target_already_primary',
          reason,
          evidence: { carriedOver: operation.evidence.carriedOver ?? 'nothing' },
        };
  }
  if (target.kind !== 'follower') return { observed: 'target_unreachable', reason: target.reason };
  if (origin.kind === 'primary') return withOrigin(origin, target, context);
  return withoutOrigin(target, origin.kind === 'follower' ? 'it follows another database' : origin.reason, context);
}

function withOrigin(origin: PrimaryView, target: FollowerView, context: PhaseContext): PhaseFinding<Observed> {
  const { operation, nowMs } = context;
  const evidence = followerEvidence(target, operation.evidence, nowMs);
  const row = origin.epoch;
  const closed =
    row !== undefined && (row.epoch > operation.fromEpoch || (row.epoch === operation.fromEpoch && row.closed));
  // A living origin that cannot be closed (for example because its commits hang) must not delay a failover indefinitely.
  if (!closed && isOutOfTime(context)) return outOfTime(target, evidence);
  if (!closed) return { observed: 'origin_open', reason: `${operation.fromRegion}'s database answers`, evidence };
  const originLsn = operation.evidence.originLsn ?? origin.flushedLsn;
  const closing = { ...evidence, originLsn, originClosedAtMs: operation.evidence.originClosedAtMs ?? nowMs };
  if (hasReplayed(target, originLsn)) return carriedOver(originLsn, closing);
  if (target.replayPaused) return { observed: 'replay_paused', reason: 'its replay is paused', evidence: closing };
  if (isOutOfTime(context)) return outOfTime(target, closing);
  const reason = `replayed ${target.replayedLsn} of ${originLsn}`;
  return { observed: 'target_behind_closed_origin', reason, evidence: closing };
}

function withoutOrigin(target: FollowerView, originReason: string, context: PhaseContext): PhaseFinding<Observed> {
  const { operation, policy, nowMs } = context;
  const evidence = followerEvidence(target, operation.evidence, nowMs);
  const { originLsn } = operation.evidence;
  if (originLsn !== undefined && hasReplayed(target, originLsn)) return carriedOver(originLsn, evidence);
  if (target.replayPaused) return { observed: 'replay_paused', reason: 'its replay is paused', evidence };
  if (operation.kind === 'switchover') {
    const reason = `${operation.fromRegion}'s database: ${originReason}`;
    return { observed: 'origin_lost_in_switchover', reason, evidence };
  }
  if (isOutOfTime(context)) return outOfTime(target, evidence);
  if (followerFact(target, policy).reading !== 'down') {
    return { observed: 'origin_lost_still_receiving', reason: `at ${target.receivedLsn}`, evidence };
  }
  // The received log may end inside a record, which cannot be replayed. A replay that has stopped is complete.
  const atRest = nowMs - (evidence.replayMovedAtMs ?? nowMs) >= policy.drainAtRestMs;
  const reason = `replayed ${target.replayedLsn} of ${target.receivedLsn} received`;
  if (target.receivedLsn === undefined || hasReplayed(target, target.receivedLsn) || atRest) {
    return { observed: 'all_received_replayed', reason, evidence: { ...evidence, carriedOver: 'all_received' } };
  }
  return { observed: 'origin_lost_still_replaying', reason, evidence };
}

function hasReplayed(target: FollowerView, lsn: string): boolean {
  return target.replayedLsn !== undefined && compareLsn(target.replayedLsn, lsn) >= 0;
}

/** Only the drain of a failover has a time limit: its customers are waiting. */
function isOutOfTime({ operation, policy, nowMs }: PhaseContext): boolean {
  return operation.kind === 'failover' && nowMs - operation.phaseSinceMs > policy.drainMaxMs;
}

function carriedOver(originLsn: string, evidence: PhaseFinding['evidence']): PhaseFinding<Observed> {
  const reason = `all of the origin's log up to ${originLsn} is replayed`;
  return { observed: 'carried_over', reason, evidence: { ...evidence, carriedOver: 'everything' } };
}

function outOfTime(target: FollowerView, evidence: PhaseFinding['evidence']): PhaseFinding<Observed> {
  const reason = `it has received ${target.receivedLsn} and replayed ${target.replayedLsn}`;
  return { observed: 'out_of_time', reason, evidence: { ...evidence, carriedOver: 'part' } };
}
