import type { AclView } from '../core/views';
import type { PhaseContext, PhaseDefinition, PhaseFinding } from './phase';

export interface ConfirmFenceView {
  readonly targetAcl: AclView;
}

type Observed = 'fenced' | 'not_fenced' | 'unreachable';

/** Confirms that the region to come back to is fenced. */
export const confirmFence: PhaseDefinition<ConfirmFenceView, Observed, 'fence_target'> = {
  observe: async ({ routers }, { toRegion }) => ({ targetAcl: await routers.acl(toRegion) }),
  classify,
  transitions: {
    not_fenced: {
      effect: 'fence_target',
      next: 'stay',
      why: 'A failback starts with a region that certainly serves no caller.',
    },
    unreachable: { effect: 'none', next: 'stay', why: 'An unconfirmed fence does not count as a fence.' },
    fenced: { effect: 'none', next: 'next', why: 'The router confirms its fence.' },
  },
  effects: {
    fence_target: ({ ports, operation }) => ports.routers.fence(operation.toRegion, operation.fromRegion),
  },
};

function classify({ targetAcl }: ConfirmFenceView, { operation }: PhaseContext): PhaseFinding<Observed> {
  if (targetAcl.kind === 'unreachable') return { observed: 'unreachable', reason: targetAcl.reason };
  return targetAcl.kind === 'fence' && targetAcl.activeRegion === operation.fromRegion
    ? { observed: 'fenced', reason: `the fence of ${operation.toRegion} names ${operation.fromRegion}` }
    : { observed: 'not_fenced', reason: `${operation.toRegion}'s router lets callers in` };
}
