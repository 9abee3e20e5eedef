import type { Fact } from '../core/facts';
import type { EdgeView } from '../core/views';
import { classifyCatchUp } from './catch-up';
import { type DatabasesView, observeDatabases } from './observe-databases';
import type { PhaseContext, PhaseDefinition, PhaseFinding } from './phase';

export interface PreflightView extends DatabasesView {
  readonly targetApp: Fact;
  readonly edge: EdgeView;
}

type Observed = 'ready' | 'not_ready';

/** Checks that the other region could take over: before a switchover stops granting, and before the automation is armed. */
export const preflight: PhaseDefinition<PreflightView, Observed, never> = {
  observe: async (ports, operation) => {
    const [databases, targetApp, edge] = await Promise.all([
      observeDatabases(ports, operation),
      ports.apps.probe(operation.toRegion),
      ports.edge.target(),
    ]);
    return { ...databases, targetApp, edge };
  },
  classify,
  transitions: {
    not_ready: { effect: 'none', next: 'stay', why: 'The region is observed until it could take over.' },
    ready: {
      effect: 'none',
      next: 'next',
      why: 'Its follower has caught up, its servers answer, and the public address leads to the active region.',
    },
  },
  effects: {},
};

function classify(
  { targetApp, edge, ...databases }: PreflightView,
  { operation, policy }: PhaseContext,
): PhaseFinding<Observed> {
  const follower = classifyCatchUp(databases, policy);
  if (follower.observed !== 'caught_up') return { observed: 'not_ready', reason: follower.reason };
  if (targetApp.reading !== 'up') return { observed: 'not_ready', reason: `its servers: ${targetApp.reason}` };
  if (edge.kind === 'unreachable') return { observed: 'not_ready', reason: `the edge: ${edge.reason}` };
  return edge.region === operation.fromRegion
    ? { observed: 'ready', reason: follower.reason }
    : { observed: 'not_ready', reason: `the edge points to ${edge.region}` };
}
