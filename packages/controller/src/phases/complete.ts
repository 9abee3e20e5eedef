import type { PhaseDefinition } from './phase';

/** The last phase of every operation. Leaving it writes the report. */
export const complete: PhaseDefinition<Record<never, never>, 'completed', never> = {
  observe: async () => ({}),
  classify: () => ({ observed: 'completed', reason: 'no phase is left' }),
  transitions: { completed: { effect: 'none', next: 'next', why: 'The report is written.' } },
  effects: {},
};
