import type { AclView, EdgeView, OutsideView } from '../core/views';
import type { PhaseContext, PhaseDefinition, PhaseFinding } from './phase';

export interface SwitchView {
  readonly targetAcl: AclView;
  readonly edge: EdgeView;
  readonly outside: OutsideView;
}

type Observed =
  | 'target_fenced'
  | 'target_router_unreachable'
  | 'edge_elsewhere'
  | 'edge_unreachable'
  | 'waiting_for_opening'
  | 'not_seen_outside'
  | 'seen_outside';

/** Moves the public address to the new region, and verifies it from outside. */
export const switchAddress: PhaseDefinition<SwitchView, Observed, 'serve_target' | 'point_edge'> = {
  observe: async ({ routers, edge }, { toRegion }) => {
    const [targetAcl, target, outside] = await Promise.all([routers.acl(toRegion), edge.target(), edge.outside()]);
    return { targetAcl, edge: target, outside };
  },
  classify,
  transitions: {
    target_fenced: {
      effect: 'serve_target',
      next: 'stay',
      why: 'The new region lets callers in before the public address leads there.',
    },
    target_router_unreachable: {
      effect: 'none',
      next: 'stay',
      why: 'The public address must not lead to a region that lets no caller in.',
    },
    edge_elsewhere: { effect: 'point_edge', next: 'stay', why: 'The public address follows the authority.' },
    edge_unreachable: {
      effect: 'none',
      next: 'stay',
      why: 'The public address must be known to lead to the new region.',
    },
    waiting_for_opening: { effect: 'none', next: 'stay', why: 'Proofs of the old epoch have not expired yet.' },
    not_seen_outside: { effect: 'none', next: 'stay', why: 'The phase is done only when a customer can see it.' },
    seen_outside: {
      effect: 'none',
      next: 'next',
      why: 'A server that grants in the new epoch answered a call at the public address.',
    },
  },
  effects: {
    serve_target: ({ ports, operation }) => ports.routers.serve(operation.toRegion),
    point_edge: ({ ports, operation }) => ports.edge.pointTo(operation.toRegion),
  },
};

function classify(
  { targetAcl, edge, outside }: SwitchView,
  { operation, nowMs }: PhaseContext,
): PhaseFinding<Observed> {
  const { toRegion, toEpoch, evidence } = operation;
  if (targetAcl.kind === 'unreachable') return { observed: 'target_router_unreachable', reason: targetAcl.reason };
  if (targetAcl.kind === 'fence') return { observed: 'target_fenced', reason: `${toRegion}'s router is fenced` };
  if (edge.kind === 'unreachable') return { observed: 'edge_unreachable', reason: edge.reason };
  if (edge.region !== toRegion) return { observed: 'edge_elsewhere', reason: `the edge points to ${edge.region}` };
  if (outside.kind === 'granting' && outside.region === toRegion && outside.epoch === toEpoch) {
    return {
      observed: 'seen_outside',
      reason: `${toRegion} grants in epoch ${toEpoch} at the public address`,
      evidence: { verifiedFromOutsideAtMs: nowMs },
    };
  }
  if (evidence.opensAtMs !== undefined && nowMs < evidence.opensAtMs) {
    return { observed: 'waiting_for_opening', reason: `the epoch opens in ${evidence.opensAtMs - nowMs} ms` };
  }
  const reason = outside.kind === 'granting' ? `${outside.region} grants in epoch ${outside.epoch}` : outside.reason;
  return { observed: 'not_seen_outside', reason };
}
