import type { Fact } from '../core/facts';
import type { PhaseDefinition } from './phase';

export interface VerifyView {
  readonly write: Fact;
}

/** Verifies the new primary database by a write in SQL. */
export const verify: PhaseDefinition<VerifyView, 'writable' | 'not_writable', never> = {
  observe: async ({ databases }, { toRegion }) => ({ write: await databases.verifyWrite(toRegion) }),
  classify: ({ write }) =>
    write.reading === 'up'
      ? { observed: 'writable', reason: write.reason }
      : { observed: 'not_writable', reason: write.reason },
  transitions: {
    not_writable: {
      effect: 'none',
      next: 'stay',
      why: 'The database service may report "available" before the database accepts writes: only a write is evidence.',
    },
    writable: { effect: 'none', next: 'next', why: 'A write was accepted.' },
  },
  effects: {},
};
