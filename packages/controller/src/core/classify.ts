import { type DatabaseView, followerFact, lsnDistanceBytes } from './database-view';
import { classifyDrain } from './drain';
import { type Context, type Finding, followerEvidence } from './finding';
import type { Phase } from './operations';
import type { DatabaseServiceView, Sights } from './phase-views';
import type { Policy } from './policy';

type Classifiers = { readonly [P in Phase]: (sight: Sights[P], context: Context) => Finding<P> };

const CLASSIFIERS: Classifiers = {
  latch: classifyLatch,
  fence: classifyFence,
  drain: classifyDrain,
  promote: ({ target }, context) => {
    if (target.kind === 'primary') {
      return { observed: 'primary', because: 'it is no longer in recovery', learned: { promotedAtMs: context.nowMs } };
    }
    if (target.kind !== 'follower') return { observed: 'target-unreachable', because: target.because };
    const learned = followerEvidence(target, context);
    return target.replayPaused
      ? { observed: 'replay-paused', because: 'its replay is paused', learned }
      : { observed: 'follower', because: 'it is still in recovery', learned };
  },
  verify: ({ write }) =>
    write.reading === 'up'
      ? { observed: 'writable', because: write.because }
      : { observed: 'not-writable', because: write.because },
  open: ({ authority }) =>
    authority.opensAtMs === null
      ? { observed: 'latched', because: 'the epoch is latched', learned: { lastRenewalAtMs: authority.renewedAtMs } }
      : {
          observed: 'opening-set',
          because: 'the epoch has its opening time',
          learned: { opensAtMs: authority.opensAtMs },
        },
  switch: classifySwitch,
  settle: () => ({ observed: 'settled', because: 'nothing is left to do' }),
  'hand-back-fence': ({ targetAcl }, { operation }) => {
    if (targetAcl.kind === 'unreachable') return { observed: 'unreachable', because: targetAcl.because };
    return targetAcl.kind === 'fence' && targetAcl.activeRegion === operation.fromRegion
      ? { observed: 'fenced', because: `${operation.toRegion} sends its callers to ${operation.fromRegion}` }
      : { observed: 'not-fenced', because: `${operation.toRegion}'s router lets callers in` };
  },
  'keep-database': classifyKeeping,
  'build-follower': ({ service }) => ({
    observed: service.kind === 'running' ? 'place-taken' : service.kind === 'kept' ? 'place-free' : service.kind,
    because: serviceSentence(service),
  }),
  'keep-up': ({ origin, target }, { policy }) => keepingUp(origin, target, policy),
  check: ({ origin, target, targetApp, edge }, { operation, policy }) => {
    const follower = keepingUp(origin, target, policy);
    if (follower.observed !== 'keeps-up') return { observed: 'not-ready', because: follower.because };
    if (targetApp.reading !== 'up') return { observed: 'not-ready', because: `its servers: ${targetApp.because}` };
    if (edge.kind === 'unreachable') return { observed: 'not-ready', because: `the edge: ${edge.because}` };
    return edge.region === operation.fromRegion
      ? { observed: 'ready', because: follower.because }
      : { observed: 'not-ready', because: `the edge points to ${edge.region}` };
  },
};

/** Names what a phase sees. Pure: the sight is what the cycle has just looked at. */
export function classify<P extends Phase>(phase: P, sight: Sights[P], context: Context): Finding<P> {
  return CLASSIFIERS[phase](sight, context);
}

function classifyLatch({ authority }: Sights['latch'], { operation, policy, nowMs }: Context): Finding<'latch'> {
  const because = `epoch ${authority.epoch} is ${authority.region}'s`;
  if (authority.epoch === operation.toEpoch) return { observed: 'latched', because };
  const learned = { lastRenewalAtMs: authority.renewedAtMs };
  // The decision is as old as its last sample. A human who has decided stands by it, however long it takes.
  const agoMs = nowMs - operation.startedAtMs;
  return operation.automatic && agoMs > policy.sampleGapMaxMs
    ? { observed: 'decided-too-long-ago', because: `${because}, and the decision is ${agoMs} ms old`, learned }
    : { observed: 'held-by-origin', because, learned };
}

/**
 * A router that can be asked and takes no fence must not hold up the living region any more than one that is gone:
 * nothing rests on the fence. The epoch is latched and opens only after every proof of the old one has lapsed (S5).
 * The time is counted from the first look that found it open, so that the fence has been tried before it is owed.
 */
function classifyFence({ originAcl }: Sights['fence'], { operation, policy, nowMs }: Context): Finding<'fence'> {
  const { fromRegion, toRegion, stuck } = operation;
  if (originAcl.kind === 'unreachable') {
    return { observed: 'unreachable', because: originAcl.because, learned: { fence: 'owed' } };
  }
  if (originAcl.kind === 'fence' && originAcl.activeRegion === toRegion) {
    const because = `${fromRegion} sends its callers to ${toRegion}`;
    return { observed: 'fenced', because, learned: { fence: 'confirmed' } };
  }
  const triedForMs = stuck?.observed === 'not-fenced' ? nowMs - stuck.sinceMs : 0;
  const because = `${fromRegion}'s router lets callers in`;
  return triedForMs >= policy.fenceMaxMs
    ? { observed: 'out-of-time', because: `${because}, after ${triedForMs} ms`, learned: { fence: 'owed' } }
    : { observed: 'not-fenced', because };
}

function classifySwitch(
  { targetAcl, edge, outside }: Sights['switch'],
  { operation, nowMs }: Context,
): Finding<'switch'> {
  const { toRegion, toEpoch, evidence } = operation;
  if (targetAcl.kind === 'unreachable') return { observed: 'target-router-unreachable', because: targetAcl.because };
  if (targetAcl.kind === 'fence') return { observed: 'target-fenced', because: `${toRegion}'s router is fenced` };
  if (edge.kind === 'unreachable') return { observed: 'edge-unreachable', because: edge.because };
  if (edge.region !== toRegion) return { observed: 'edge-elsewhere', because: `the edge points to ${edge.region}` };
  if (outside.kind === 'granting' && outside.region === toRegion && outside.epoch === toEpoch) {
    return {
      observed: 'seen-outside',
      because: `${toRegion} grants in epoch ${toEpoch} at the public address`,
      learned: { verifiedFromOutsideAtMs: nowMs },
    };
  }
  if (evidence.opensAtMs !== null && nowMs < evidence.opensAtMs) {
    return { observed: 'waiting-for-opening', because: `the epoch opens in ${evidence.opensAtMs - nowMs} ms` };
  }
  const because = outside.kind === 'granting' ? `${outside.region} grants in epoch ${outside.epoch}` : outside.because;
  return { observed: 'not-seen-outside', because };
}

/**
 * A follower that stands there holds nothing of its own and is left alone, unless it is lost: behind a primary that
 * answers, its replay not moving. The service may go on calling it a follower for ever.
 */
function classifyKeeping({ service, databases }: Sights['keep-database'], context: Context): Finding<'keep-database'> {
  const because = serviceSentence(service);
  if (service.kind === 'building') return { observed: 'busy', because };
  if (service.kind !== 'following' || databases === null) return { observed: service.kind, because };
  const { origin, target } = databases;
  if (origin.kind !== 'primary' || target.kind !== 'follower' || target.replayPaused) {
    return { observed: 'following', because };
  }
  const behindBytes = target.replayedLsn === null ? null : lsnDistanceBytes(target.replayedLsn, origin.flushedLsn);
  const hears = followerFact(target, context.policy).reading === 'up';
  if (hears && behindBytes !== null && behindBytes <= context.policy.keepsUpWithinBytes) {
    return { observed: 'following', because };
  }
  const learned = followerEvidence(target, context);
  const stillForMs = context.nowMs - (learned.replayMovedAtMs ?? context.nowMs);
  const silent = `it is ${behindBytes ?? 'all its'} bytes behind and has replayed nothing for ${stillForMs} ms`;
  return stillForMs >= context.policy.followerLostAfterMs
    ? { observed: 'follower-lost', because: silent, learned }
    : { observed: 'follower-silent', because: silent, learned };
}

function keepingUp(origin: DatabaseView, target: DatabaseView, policy: Policy): Finding<'keep-up'> {
  if (origin.kind !== 'primary')
    return { observed: 'unreachable', because: 'the active database does not answer as a primary' };
  if (target.kind === 'primary') return { observed: 'behind', because: 'it is a primary database, and follows nobody' };
  if (target.kind !== 'follower') return { observed: 'unreachable', because: target.because };
  const hears = followerFact(target, policy);
  if (hears.reading !== 'up') return { observed: 'behind', because: hears.because };
  if (target.replayedLsn === null) return { observed: 'behind', because: 'it has replayed nothing yet' };
  const behindBytes = lsnDistanceBytes(target.replayedLsn, origin.flushedLsn);
  return behindBytes <= policy.keepsUpWithinBytes
    ? { observed: 'keeps-up', because: `it is ${Math.max(0, behindBytes)} bytes behind` }
    : { observed: 'behind', because: `it is ${behindBytes} bytes behind` };
}

function serviceSentence(service: DatabaseServiceView): string {
  return 'because' in service ? service.because : `the database service says: ${service.kind}`;
}
