import type { AuthorityView } from '@evergrant/controller/core/authority';
import type { ControlRecord } from '@evergrant/controller/core/control-record';
import { PRIMARY_REGION } from '@evergrant/core/regions';
import { type ComparedTemplate, harmfulChanges } from './unsafe-changes';

export interface GuardFacts {
  /** Null: nothing is deployed yet. */
  readonly state: { readonly authority: AuthorityView; readonly control: ControlRecord } | null;
  /** The stacks that are deployed, each with what it would become. */
  readonly stacks: readonly {
    readonly name: string;
    readonly deployed: ComparedTemplate;
    readonly next: ComparedTemplate;
  }[];
}

export type GuardVerdict =
  | { readonly kind: 'deploy'; readonly reason: string }
  | { readonly kind: 'refuse'; readonly reason: readonly string[] };

/**
 * May this be deployed now? In peace everything may. During an operation nothing may: it and CloudFormation would work
 * on the same things. While failed over, only what leaves everything stateful as it is.
 */
export function guardVerdict({ state, stacks }: GuardFacts): GuardVerdict {
  if (state === null) return { kind: 'deploy', reason: 'nothing is deployed yet' };
  const { authority, control } = state;
  if (control.operation !== null) {
    const { kind, phase } = control.operation;
    return { kind: 'refuse', reason: [`${kind} is under way, in phase ${phase}: deploy when it has ended`] };
  }
  if (authority.region === PRIMARY_REGION && Object.keys(control.failbackDoneAtMs).length === 0) {
    return { kind: 'deploy', reason: `${authority.region} is active, in epoch ${authority.epoch}` };
  }
  if (authority.region === PRIMARY_REGION && control.failbackDoneAtMs.arm !== undefined) {
    return { kind: 'deploy', reason: `${authority.region} is active again, and armed` };
  }
  const harm = stacks.flatMap(({ name, deployed, next }) => harmfulChanges(name, deployed, next));
  return harm.length === 0
    ? { kind: 'deploy', reason: `${authority.region} is active, and nothing stateful would change` }
    : {
        kind: 'refuse',
        reason: [`${authority.region} is active after a failover; come back first, or leave out:`, ...harm],
      };
}
