import type { AuthorityView } from '../core/authority';
import type { PhaseContext, PhaseDefinition, PhaseFinding } from './phase';

export interface LatchView {
  readonly authority: AuthorityView;
}

type Observed = 'held_by_origin' | 'decided_too_long_ago' | 'latched';

/** Takes the next epoch in the authority store. It stays closed until the phase `open`. */
export const latch: PhaseDefinition<LatchView, Observed, 'latch'> = {
  observe: async (_ports, _operation, authority) => ({ authority }),
  classify,
  transitions: {
    held_by_origin: {
      effect: 'latch',
      next: 'stay',
      why: 'The new epoch is taken before anything else: from here on the origin may not grant.',
    },
    decided_too_long_ago: {
      effect: 'none',
      next: 'abandon',
      why: 'The samples of the decision are too old: the origin may have recovered, so detection starts again.',
    },
    latched: { effect: 'none', next: 'next', why: 'The authority store confirms that the epoch is ours.' },
  },
  effects: {
    latch: ({ ports, operation }) =>
      ports.authority.latch({
        fromEpoch: operation.fromEpoch,
        region: operation.toRegion,
        operationId: operation.id,
      }),
  },
};

function classify({ authority }: LatchView, { operation, policy, nowMs }: PhaseContext): PhaseFinding<Observed> {
  const reason = `epoch ${authority.epoch} belongs to ${authority.region}`;
  if (authority.epoch === operation.toEpoch) return { observed: 'latched', reason };
  const evidence = { lastRenewalAtMs: authority.renewedAtMs };
  // An automatic decision is as old as its last sample. An operator's decision does not expire.
  const ageMs = nowMs - operation.startedAtMs;
  return operation.automatic && ageMs > policy.sampleGapMaxMs
    ? { observed: 'decided_too_long_ago', reason: `${reason}, and the decision is ${ageMs} ms old`, evidence }
    : { observed: 'held_by_origin', reason, evidence };
}
