import { type DatabaseServiceView, databaseServiceReason } from '../core/views';
import type { PhaseDefinition } from './phase';

export interface BuildFollowerView {
  readonly service: DatabaseServiceView;
}

type Observed = 'place_taken' | 'place_free' | 'failed' | 'building' | 'unreachable' | 'following';

/** Creates a follower of the active region's database. */
export const buildFollower: PhaseDefinition<BuildFollowerView, Observed, 'follow'> = {
  observe: async ({ databaseService }, { toRegion }) => ({ service: await databaseService.view(toRegion) }),
  classify: ({ service }) => ({ observed: observedOf(service), reason: databaseServiceReason(service) }),
  transitions: {
    place_free: { effect: 'follow', next: 'stay', why: 'A new follower of the active region is created.' },
    failed: { effect: 'follow', next: 'stay', why: 'The command may be repeated.' },
    building: { effect: 'none', next: 'stay', why: 'The database service is working.' },
    unreachable: { effect: 'none', next: 'stay', why: 'The database service must confirm the result.' },
    place_taken: {
      effect: 'none',
      next: 'stay',
      why: 'The region still has its own databases: the stage archive-database must archive them first.',
    },
    following: { effect: 'none', next: 'next', why: 'The follower exists.' },
  },
  effects: {
    follow: ({ ports, operation }) => ports.databaseService.follow(operation.toRegion),
  },
};

function observedOf({ kind }: DatabaseServiceView): Observed {
  if (kind === 'running') return 'place_taken';
  return kind === 'archived' ? 'place_free' : kind;
}
