import { otherRegion } from '@evergrant/core/regions';
import type { AuthorityView } from './authority';
import type { ControlRecord } from './control-record';
import type { Takeover } from './observation';
import type { OperationKind } from './operations';

/** The decision on an operator's request. `start` and `abandon` are part of the same write as the answer. */
export type RequestEvaluation =
  | { readonly outcome: 'accepted'; readonly reason: string; readonly start: OperationKind }
  /** The operation in progress ends, and `start` (if any) begins in its place. */
  | {
      readonly outcome: 'accepted';
      readonly reason: string;
      readonly abandon: true;
      readonly start: OperationKind | undefined;
    }
  | { readonly outcome: 'already_done' | 'refused'; readonly reason: string };

export interface RequestContext extends Takeover {
  readonly control: ControlRecord;
  readonly authority: AuthorityView;
}

/** The answer to a request for the region that is active already. While it does not grant, the request is not done. */
export function evaluateActive(context: RequestContext): RequestEvaluation {
  const { authority, outside } = context;
  const { region, epoch } = authority;
  if (isSeenGranting(context)) {
    return { outcome: 'already_done', reason: `${region} is active and grants, in epoch ${epoch}` };
  }
  const other = otherRegion(region);
  return refused(
    `${region} is active, in epoch ${epoch}, and does not grant (${outsideText(outside)}); to move the authority: failover --to ${other}, with --accept-loss if ${other} has not rejoined`,
  );
}

export function isSeenGranting({ authority, outside }: Pick<RequestContext, 'authority' | 'outside'>): boolean {
  return outside.kind === 'granting' && outside.region === authority.region;
}

export function outsideText(outside: RequestContext['outside']): string {
  return outside.kind === 'granting' ? `${outside.region} grants in epoch ${outside.epoch}` : outside.reason;
}

export function refused(reason: string): RequestEvaluation {
  return { outcome: 'refused', reason };
}
