import { lsnDistanceBytes } from '@evergrant/core/lsn';
import { type DatabaseView, followerFact } from './database-view';
import { classifyDrain } from './drain';
import { type Context, type Finding, followerEvidence } from './finding';
import type { Phase } from './operations';
import type { DatabaseServiceView, PhaseViews } from './phase-views';
import type { Policy } from './policy';

type Classifiers = { readonly [P in Phase]: (sight: PhaseViews[P], context: Context) => Finding<P> };

const CLASSIFIERS: Classifiers = {
  latch: classifyLatch,
  fence: classifyFence,
  drain: classifyDrain,
  promote: ({ target }, context) => {
    if (target.kind === 'primary') {
      return { observed: 'primary', reason: 'it is no longer in recovery', learned: { promotedAtMs: context.nowMs } };
    }
    if (target.kind !== 'follower') return { observed: 'target_unreachable', reason: target.reason };
    const learned = followerEvidence(target, context);
    return target.replayPaused
      ? { observed: 'replay_paused', reason: 'its replay is paused', learned }
      : { observed: 'follower', reason: 'it is still in recovery', learned };
  },
  verify: ({ write }) =>
    write.reading === 'up'
      ? { observed: 'writable', reason: write.reason }
      : { observed: 'not_writable', reason: write.reason },
  open: ({ authority }) =>
    authority.opensAtMs === null
      ? { observed: 'latched', reason: 'the epoch is latched', learned: { lastRenewalAtMs: authority.renewedAtMs } }
      : {
          observed: 'opening_set',
          reason: 'the epoch has its opening time',
          learned: { opensAtMs: authority.opensAtMs },
        },
  switch: classifySwitch,
  complete: () => ({ observed: 'completed', reason: 'nothing is left to do' }),
  confirm_fence: ({ targetAcl }, { operation }) => {
    if (targetAcl.kind === 'unreachable') return { observed: 'unreachable', reason: targetAcl.reason };
    return targetAcl.kind === 'fence' && targetAcl.activeRegion === operation.fromRegion
      ? { observed: 'fenced', reason: `${operation.toRegion} sends its callers to ${operation.fromRegion}` }
      : { observed: 'not_fenced', reason: `${operation.toRegion}'s router lets callers in` };
  },
  archive_database: classifyKeeping,
  build_follower: ({ service }) => ({
    observed: service.kind === 'running' ? 'place_taken' : service.kind === 'kept' ? 'place_free' : service.kind,
    reason: serviceSentence(service),
  }),
  catch_up: ({ origin, target }, { policy }) => keepingUp(origin, target, policy),
  preflight: ({ origin, target, targetApp, edge }, { operation, policy }) => {
    const follower = keepingUp(origin, target, policy);
    if (follower.observed !== 'caught_up') return { observed: 'not_ready', reason: follower.reason };
    if (targetApp.reading !== 'up') return { observed: 'not_ready', reason: `its servers: ${targetApp.reason}` };
    if (edge.kind === 'unreachable') return { observed: 'not_ready', reason: `the edge: ${edge.reason}` };
    return edge.region === operation.fromRegion
      ? { observed: 'ready', reason: follower.reason }
      : { observed: 'not_ready', reason: `the edge points to ${edge.region}` };
  },
};

/** Names what a phase sees. Pure: the sight is what the cycle has just looked at. */
export function classify<P extends Phase>(phase: P, sight: PhaseViews[P], context: Context): Finding<P> {
  return CLASSIFIERS[phase](sight, context);
}

function classifyLatch({ authority }: PhaseViews['latch'], { operation, policy, nowMs }: Context): Finding<'latch'> {
  const reason = `epoch ${authority.epoch} is ${authority.region}'s`;
  if (authority.epoch === operation.toEpoch) return { observed: 'latched', reason };
  const learned = { lastRenewalAtMs: authority.renewedAtMs };
  // The decision is as old as its last sample. A human who has decided stands by it, however long it takes.
  const agoMs = nowMs - operation.startedAtMs;
  return operation.automatic && agoMs > policy.sampleGapMaxMs
    ? { observed: 'decided_too_long_ago', reason: `${reason}, and the decision is ${agoMs} ms old`, learned }
    : { observed: 'held_by_origin', reason, learned };
}

/**
 * A router that can be asked and takes no fence must not hold up the living region any more than one that is gone:
 * nothing rests on the fence. The epoch is latched and opens only after every proof of the old one has lapsed (S5).
 * The time is counted from the first look that found it open, so that the fence has been tried before it is owed.
 */
function classifyFence({ originAcl }: PhaseViews['fence'], { operation, policy, nowMs }: Context): Finding<'fence'> {
  const { fromRegion, toRegion, stuck } = operation;
  if (originAcl.kind === 'unreachable') {
    return { observed: 'unreachable', reason: originAcl.reason, learned: { fence: 'pending' } };
  }
  if (originAcl.kind === 'fence' && originAcl.activeRegion === toRegion) {
    const reason = `${fromRegion} sends its callers to ${toRegion}`;
    return { observed: 'fenced', reason, learned: { fence: 'confirmed' } };
  }
  const triedForMs = stuck?.observed === 'not_fenced' ? nowMs - stuck.sinceMs : 0;
  const reason = `${fromRegion}'s router lets callers in`;
  return triedForMs >= policy.fenceMaxMs
    ? { observed: 'out_of_time', reason: `${reason}, after ${triedForMs} ms`, learned: { fence: 'pending' } }
    : { observed: 'not_fenced', reason };
}

function classifySwitch(
  { targetAcl, edge, outside }: PhaseViews['switch'],
  { operation, nowMs }: Context,
): Finding<'switch'> {
  const { toRegion, toEpoch, evidence } = operation;
  if (targetAcl.kind === 'unreachable') return { observed: 'target_router_unreachable', reason: targetAcl.reason };
  if (targetAcl.kind === 'fence') return { observed: 'target_fenced', reason: `${toRegion}'s router is fenced` };
  if (edge.kind === 'unreachable') return { observed: 'edge_unreachable', reason: edge.reason };
  if (edge.region !== toRegion) return { observed: 'edge_elsewhere', reason: `the edge points to ${edge.region}` };
  if (outside.kind === 'granting' && outside.region === toRegion && outside.epoch === toEpoch) {
    return {
      observed: 'seen_outside',
      reason: `${toRegion} grants in epoch ${toEpoch} at the public address`,
      learned: { verifiedFromOutsideAtMs: nowMs },
    };
  }
  if (evidence.opensAtMs !== null && nowMs < evidence.opensAtMs) {
    return { observed: 'waiting_for_opening', reason: `the epoch opens in ${evidence.opensAtMs - nowMs} ms` };
  }
  const reason = outside.kind === 'granting' ? `${outside.region} grants in epoch ${outside.epoch}` : outside.reason;
  return { observed: 'not_seen_outside', reason };
}

/**
 * A follower that stands there holds nothing of its own and is left alone, unless it is lost: behind a primary that
 * answers, its replay not moving. The service may go on calling it a follower for ever.
 */
function classifyKeeping(
  { service, databases }: PhaseViews['archive_database'],
  context: Context,
): Finding<'archive_database'> {
  const reason = serviceSentence(service);
  if (service.kind === 'building') return { observed: 'busy', reason };
  if (service.kind !== 'following' || databases === null) return { observed: service.kind, reason };
  const { origin, target } = databases;
  if (origin.kind !== 'primary' || target.kind !== 'follower' || target.replayPaused) {
    return { observed: 'following', reason };
  }
  const behindBytes = target.replayedLsn === null ? null : lsnDistanceBytes(target.replayedLsn, origin.flushedLsn);
  const hears = followerFact(target, context.policy).reading === 'up';
  if (hears && behindBytes !== null && behindBytes <= context.policy.keepsUpWithinBytes) {
    return { observed: 'following', reason };
  }
  const learned = followerEvidence(target, context);
  const stillForMs = context.nowMs - (learned.replayMovedAtMs ?? context.nowMs);
  const silent = `it is ${behindBytes ?? 'all its'} bytes behind and has replayed nothing for ${stillForMs} ms`;
  return stillForMs >= context.policy.followerLostAfterMs
    ? { observed: 'follower_lost', reason: silent, learned }
    : { observed: 'follower_silent', reason: silent, learned };
}

function keepingUp(origin: DatabaseView, target: DatabaseView, policy: Policy): Finding<'catch_up'> {
  if (origin.kind !== 'primary')
    return { observed: 'unreachable', reason: 'the active database does not answer as a primary' };
  if (target.kind === 'primary') return { observed: 'behind', reason: 'it is a primary database, and follows nobody' };
  if (target.kind !== 'follower') return { observed: 'unreachable', reason: target.reason };
  const hears = followerFact(target, policy);
  if (hears.reading !== 'up') return { observed: 'behind', reason: hears.reason };
  if (target.replayedLsn === null) return { observed: 'behind', reason: 'it has replayed nothing yet' };
  const behindBytes = lsnDistanceBytes(target.replayedLsn, origin.flushedLsn);
  return behindBytes <= policy.keepsUpWithinBytes
    ? { observed: 'caught_up', reason: `it is ${Math.max(0, behindBytes)} bytes behind` }
    : { observed: 'behind', reason: `it is ${behindBytes} bytes behind` };
}

function serviceSentence(service: DatabaseServiceView): string {
  return 'reason' in service ? service.reason : `the database service says: ${service.kind}`;
}
