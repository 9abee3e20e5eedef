import type { DatabaseView } from '../core/database-view';
import { followerEvidence } from '../core/follower-evidence';
import type { PhaseContext, PhaseDefinition, PhaseFinding } from './phase';

export interface PromoteView {
  readonly target: DatabaseView;
}

type Observed = 'follower' | 'replay_paused' | 'target_unreachable' | 'primary';

/** Promotes the follower to the primary database. */
export const promote: PhaseDefinition<PromoteView, Observed, 'promote'> = {
  observe: async ({ databases }, { toRegion }) => ({ target: await databases.view(toRegion) }),
  classify,
  transitions: {
    follower: { effect: 'promote', next: 'stay', why: 'The follower becomes the primary database.' },
    replay_paused: {
      effect: 'none',
      next: 'stay',
      why: 'A paused replay would block the promotion: an operator must resume it.',
    },
    target_unreachable: {
      effect: 'none',
      next: 'stay',
      why: 'The database may be restarting as a primary: the controller waits for its answer.',
    },
    primary: { effect: 'none', next: 'next', why: 'PostgreSQL reports that it is no longer in recovery.' },
  },
  effects: {
    promote: ({ ports, operation }) => ports.databases.promote(operation.toRegion, operation.fromEpoch),
  },
};

function classify({ target }: PromoteView, { operation, nowMs }: PhaseContext): PhaseFinding<Observed> {
  if (target.kind === 'primary') {
    return { observed: 'primary', reason: 'it is no longer in recovery', evidence: { promotedAtMs: nowMs } };
  }
  if (target.kind !== 'follower') return { observed: 'target_unreachable', reason: target.reason };
  const evidence = followerEvidence(target, operation.evidence, nowMs);
  return target.replayPaused
    ? { observed: 'replay_paused', reason: 'its replay is paused', evidence }
    : { observed: 'follower', reason: 'it is still in recovery', evidence };
}
