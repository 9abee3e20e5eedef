import { lsnDistanceBytes } from '@evergrant/core/lsn';
import { followerFact } from '../core/database-view';
import type { Policy } from '../core/policy';
import { type DatabasesView, observeDatabases } from './observe-databases';
import type { PhaseDefinition, PhaseFinding } from './phase';

type Observed = 'caught_up' | 'behind' | 'unreachable';

/** Waits until the new follower has caught up with its primary database. */
export const catchUp: PhaseDefinition<DatabasesView, Observed, never> = {
  observe: observeDatabases,
  classify: (view, { policy }) => classifyCatchUp(view, policy),
  transitions: {
    behind: { effect: 'none', next: 'stay', why: 'The follower is still catching up.' },
    unreachable: { effect: 'none', next: 'stay', why: 'A database that does not answer cannot be called caught up.' },
    caught_up: {
      effect: 'none',
      next: 'next',
      why: 'The follower streams, and is no further behind than the policy allows.',
    },
  },
  effects: {},
};

export function classifyCatchUp({ origin, target }: DatabasesView, policy: Policy): PhaseFinding<Observed> {
  if (origin.kind !== 'primary') {
    return { observed: 'unreachable', reason: 'the active database does not answer as a primary' };
  }
  if (target.kind === 'primary') return { observed: 'behind', reason: 'it is a primary database and does not follow' };
  if (target.kind !== 'follower') return { observed: 'unreachable', reason: target.reason };
  const hears = followerFact(target, policy);
  if (hears.reading !== 'up') return { observed: 'behind', reason: hears.reason };
  if (target.replayedLsn === undefined) return { observed: 'behind', reason: 'it has replayed nothing yet' };
  const behindBytes = lsnDistanceBytes(target.replayedLsn, origin.flushedLsn);
  return behindBytes <= policy.keepsUpWithinBytes
    ? { observed: 'caught_up', reason: `it is ${Math.max(0, behindBytes)} bytes behind` }
    : { observed: 'behind', reason: `it is ${behindBytes} bytes behind` };
}
