import type { AuthorityView } from './authority';
import type { ControlRecord, PendingFence } from './control-record';
import type { HistoryEntry } from './history';
import type { Operation } from './operations';
import type { Policy } from './policy';
import type { AclView } from './views';

/** Records that a region could not be fenced. It replaces an older pending fence of the same region. */
export function deferFence(
  record: ControlRecord,
  operation: Operation,
  { reason, nowMs }: { reason: string; nowMs: number },
): { record: ControlRecord; entry: HistoryEntry } {
  const region = operation.fromRegion;
  const pending: PendingFence = { region, epoch: operation.toEpoch, sinceMs: nowMs, lastTriedAtMs: nowMs, reason };
  const pendingFences = [...record.pendingFences.filter((other) => other.region !== region), pending];
  return {
    record: { ...record, pendingFences },
    entry: { kind: 'pending-fence', detail: { region, change: 'deferred', reason } },
  };
}

/** The next step for a pending fence, given the present state of its router. */
export type PendingFenceStep =
  | { readonly kind: 'obsolete'; readonly reason: string }
  | { readonly kind: 'applied'; readonly reason: string }
  | { readonly kind: 'fence' }
  | { readonly kind: 'wait'; readonly reason: string };

export function pendingFenceStep(pending: PendingFence, authority: AuthorityView, acl: AclView): PendingFenceStep {
  if (pending.region === authority.region) {
    return { kind: 'obsolete', reason: `${pending.region} has authority again` };
  }
  if (acl.kind === 'unreachable') return { kind: 'wait', reason: acl.reason };
  if (acl.kind === 'fence' && acl.activeRegion === authority.region) {
    return { kind: 'applied', reason: `the fence of ${pending.region} names ${authority.region}` };
  }
  return { kind: 'fence' };
}

/**
 * The pending fences to observe in this cycle, each at most twice per sample. The pending fence of the operation in
 * progress waits until that operation has ended: a router that does not answer would delay each of its steps.
 */
export function duePendingFences(record: ControlRecord, policy: Policy, nowMs: number): readonly PendingFence[] {
  return record.pendingFences.filter(({ epoch, lastTriedAtMs }) => {
    const isOfThisOperation = record.operation?.toEpoch === epoch;
    return !isOfThisOperation && Math.abs(nowMs - lastTriedAtMs) >= policy.sampleEveryMs / 2;
  });
}
