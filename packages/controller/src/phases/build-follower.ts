import { type DatabaseServiceView, databaseServiceReason } from '../core/views';
import type { PhaseDefinition } from './phase';

export interface BuildFollowerView {
  readonly service: DatabaseServiceView;
}

type Observed = 'place_taken' | 'place_free' | 'failed' | 'building' | 'incomplete' | 'unreachable' | 'following';

/** Creates a follower of the active region's database, with the settings that a primary database needs. */
export const buildFollower: PhaseDefinition<BuildFollowerView, Observed, 'follow'> = {
  observe: async ({ databaseService }, { toRegion }) => ({ service: await databaseService.view(toRegion) }),
  classify: ({ service }) => ({ observed: observedOf(service), reason: databaseServiceReason(service) }),
  transitions: {
    place_free: { effect: 'follow', next: 'stay', why: 'A new follower of the active region is created.' },
    failed: { effect: 'follow', next: 'stay', why: 'The command may be repeated.' },
    building: { effect: 'none', next: 'stay', why: 'The database service is working.' },
    incomplete: {
      effect: 'follow',
      next: 'stay',
      why: 'A promoted database needs its parameters in force and a backup: the next setting is ordered.',
    },
    unreachable: { effect: 'none', next: 'stay', why: 'The database service must confirm the result.' },
    place_taken: {
      effect: 'none',
      next: 'stay',
      why: 'The region still has its own databases: the stage archive-database must archive them first.',
    },
    following: { effect: 'none', next: 'next', why: 'The follower exists and all of its settings are in force.' },
  },
  effects: {
    follow: ({ ports, operation }) => ports.databaseService.follow(operation.toRegion),
  },
};

function observedOf({ kind }: DatabaseServiceView): Observed {
  if (kind === 'running') return 'place_taken';
  return kind === 'archived' ? 'place_free' : kind;
}
