import type { AclView } from '../core/views';
import type { PhaseContext, PhaseDefinition, PhaseFinding } from './phase';

export interface FenceView {
  readonly originAcl: AclView;
}

type Observed = 'fenced' | 'not_fenced' | 'out_of_time' | 'unreachable';

/** Fences the region that lost its authority, or records a pending fence. */
export const fence: PhaseDefinition<FenceView, Observed, 'fence_origin'> = {
  observe: async ({ routers }, { fromRegion }) => ({ originAcl: await routers.acl(fromRegion) }),
  classify,
  transitions: {
    not_fenced: {
      effect: 'fence_origin',
      next: 'stay',
      why: 'Callers that still reach the old region get the name of the active one.',
    },
    fenced: { effect: 'none', next: 'next', why: 'The router of the old region confirms its fence.' },
    out_of_time: {
      effect: 'none',
      next: 'next',
      why: 'A router that refuses its fence must not delay the surviving region: the fence becomes pending.',
    },
    unreachable: {
      effect: 'none',
      next: 'next',
      why: 'A dead region must not delay the surviving one: the fence becomes pending.',
    },
  },
  effects: {
    fence_origin: ({ ports, operation }) => ports.routers.fence(operation.fromRegion, operation.toRegion),
  },
};

/**
 * Safety does not depend on the fence: the epoch is latched and opens only after every proof of the old one has
 * expired (S5). So a router that answers and refuses its fence delays the operation for `fenceMaxMs` only. The time
 * counts from the first observation without a fence, so the fence was tried before it becomes pending.
 */
function classify({ originAcl }: FenceView, { operation, policy, nowMs }: PhaseContext): PhaseFinding<Observed> {
  const { fromRegion, toRegion, stuck } = operation;
  if (originAcl.kind === 'unreachable') {
    return { observed: 'unreachable', reason: originAcl.reason, evidence: { fence: 'pending' } };
  }
  if (originAcl.kind === 'fence' && originAcl.activeRegion === toRegion) {
    const reason = `the fence of ${fromRegion} names ${toRegion}`;
    return { observed: 'fenced', reason, evidence: { fence: 'confirmed' } };
  }
  const triedForMs = stuck?.observed === 'not_fenced' ? nowMs - stuck.sinceMs : 0;
  const reason = `${fromRegion}'s router lets callers in`;
  return triedForMs >= policy.fenceMaxMs
    ? { observed: 'out_of_time', reason: `${reason}, after ${triedForMs} ms`, evidence: { fence: 'pending' } }
    : { observed: 'not_fenced', reason };
}
