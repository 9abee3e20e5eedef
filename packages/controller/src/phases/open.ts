import { lapsedAtMs } from '../core/advance';
import type { AuthorityView } from '../core/authority';
import type { PhaseDefinition } from './phase';

export interface OpenView {
  readonly authority: AuthorityView;
}

/** Sets the opening time of the latched epoch. */
export const open: PhaseDefinition<OpenView, 'latched' | 'opening_set', 'open'> = {
  observe: async (_ports, _operation, authority) => ({ authority }),
  classify: ({ authority }) =>
    authority.opensAtMs === undefined
      ? { observed: 'latched', reason: 'the epoch is latched', evidence: { lastRenewalAtMs: authority.renewedAtMs } }
      : {
          observed: 'opening_set',
          reason: 'the epoch has its opening time',
          evidence: { opensAtMs: authority.opensAtMs },
        },
  transitions: {
    latched: { effect: 'open', next: 'stay', why: 'The epoch opens when every proof of the old one has expired.' },
    opening_set: {
      effect: 'none',
      next: 'next',
      why: 'From that time on the servers beside the new primary database grant automatically.',
    },
  },
  effects: {
    open: ({ ports, operation, authority, policy }) =>
      ports.authority.open({
        epoch: operation.toEpoch,
        operationId: operation.id,
        lapsedAtMs: lapsedAtMs(operation, authority, policy, ports.clock.nowMs()),
      }),
  },
};
