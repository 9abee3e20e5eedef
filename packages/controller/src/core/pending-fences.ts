import type { AuthorityView } from './authority';
import type { ControlRecord, PendingFence } from './control-record';
import type { HistoryEntry } from './history';
import type { Operation } from './operations';
import type { AclView } from './phase-views';
import type { Policy } from './policy';

/** Records that a region could not be fenced; it replaces an older debt of the same region. */
export function owe(
  record: ControlRecord,
  operation: Operation,
  { reason, nowMs }: { reason: string; nowMs: number },
): { record: ControlRecord; entry: HistoryEntry } {
  const region = operation.fromRegion;
  const debt: PendingFence = { region, epoch: operation.toEpoch, sinceMs: nowMs, lastTriedAtMs: nowMs, reason };
  const pendingFences = [...record.pendingFences.filter((other) => other.region !== region), debt];
  return {
    record: { ...record, pendingFences },
    entry: { kind: 'pending-fence', detail: { region, change: 'deferred', reason } },
  };
}

/** What to do about a debt, now that its region's router has been looked at. */
export type PendingFenceStep =
  | { readonly kind: 'obsolete'; readonly reason: string }
  | { readonly kind: 'applied'; readonly reason: string }
  | { readonly kind: 'fence' }
  | { readonly kind: 'wait'; readonly reason: string };

export function debtStep(debt: PendingFence, authority: AuthorityView, acl: AclView): PendingFenceStep {
  if (debt.region === authority.region) return { kind: 'obsolete', reason: `${debt.region} has authority again` };
  if (acl.kind === 'unreachable') return { kind: 'wait', reason: acl.reason };
  if (acl.kind === 'fence' && acl.activeRegion === authority.region) {
    return { kind: 'applied', reason: `${debt.region} sends its callers to ${authority.region}` };
  }
  return { kind: 'fence' };
}

/**
 * Which debts are looked at in this cycle: every one, no more often than twice a sample. The debt of the operation
 * in progress waits until that has settled: looking at a router that hangs would slow down each of its steps.
 */
export function dueDebts(record: ControlRecord, policy: Policy, nowMs: number): readonly PendingFence[] {
  return record.pendingFences.filter(({ epoch, lastTriedAtMs }) => {
    const isOfThisOperation = record.operation?.toEpoch === epoch;
    return !isOfThisOperation && Math.abs(nowMs - lastTriedAtMs) >= policy.sampleEveryMs / 2;
  });
}
