import type { AuthorityView } from '@evergrant/controller/core/authority';
import type { ControlRecord } from '@evergrant/controller/core/control-record';
import { PRIMARY_REGION } from '@evergrant/core/regions';
import { type ComparedTemplate, unsafeChanges } from './unsafe-changes';

export interface GuardFacts {
  /** Undefined when nothing is deployed yet. */
  readonly state: { readonly authority: AuthorityView; readonly control: ControlRecord } | undefined;
  /** The deployed stacks, each with its deployed and its next template. */
  readonly stacks: readonly {
    readonly name: string;
    readonly deployed: ComparedTemplate;
    readonly next: ComparedTemplate;
  }[];
}

export type GuardVerdict =
  | { readonly kind: 'deploy'; readonly reason: string }
  | { readonly kind: 'refuse'; readonly reasons: readonly string[] };

/**
 * Decides whether the synthesized stacks may be deployed now. During normal operation every change is allowed. During an
 * operation no deploy is allowed, because CloudFormation and the controller would change the same resources. While the
 * other region is active after a failover, only changes that leave stateful resources alone are allowed.
 */
export function guardVerdict({ state, stacks }: GuardFacts): GuardVerdict {
  if (state === undefined) return { kind: 'deploy', reason: 'nothing is deployed yet' };
  const { authority, control } = state;
  if (control.operation !== undefined) {
    const { kind, phase } = control.operation;
    return { kind: 'refuse', reasons: [`a ${kind} is in progress, in phase ${phase}: deploy after it has ended`] };
  }
  if (authority.region === PRIMARY_REGION && Object.keys(control.failbackDoneAtMs).length === 0) {
    return { kind: 'deploy', reason: `${authority.region} is active, in epoch ${authority.epoch}` };
  }
  if (authority.region === PRIMARY_REGION && control.failbackDoneAtMs.arm !== undefined) {
    return { kind: 'deploy', reason: `${authority.region} is active again and the automation is armed` };
  }
  const changes = stacks.flatMap(({ name, deployed, next }) => unsafeChanges(name, deployed, next));
  return changes.length === 0
    ? { kind: 'deploy', reason: `${authority.region} is active, and no stateful resource would change` }
    : {
        kind: 'refuse',
        reasons: [
          `${authority.region} is active after a failover: fail back first, or remove these changes:`,
          ...changes,
        ],
      };
}
