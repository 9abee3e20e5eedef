import type { AuthorityView } from './authority';
import type { ControlRecord, FenceDebt } from './control-record';
import type { HistoryEntry } from './history';
import type { Operation } from './operations';
import type { AclView } from './phase-views';
import type { Policy } from './policy';

/** Records that a region could not be fenced; it replaces an older debt of the same region. */
export function owe(
  record: ControlRecord,
  operation: Operation,
  { because, nowMs }: { because: string; nowMs: number },
): { record: ControlRecord; entry: HistoryEntry } {
  const region = operation.fromRegion;
  const debt: FenceDebt = { region, epoch: operation.toEpoch, sinceMs: nowMs, lastTriedAtMs: nowMs, because };
  const fenceDebts = [...record.fenceDebts.filter((other) => other.region !== region), debt];
  return {
    record: { ...record, fenceDebts },
    entry: { kind: 'fence-debt', detail: { region, change: 'owed', because } },
  };
}

/** What to do about a debt, now that its region's router has been looked at. */
export type DebtStep =
  | { readonly kind: 'void'; readonly because: string }
  | { readonly kind: 'paid'; readonly because: string }
  | { readonly kind: 'fence' }
  | { readonly kind: 'wait'; readonly because: string };

export function debtStep(debt: FenceDebt, authority: AuthorityView, acl: AclView): DebtStep {
  if (debt.region === authority.region) return { kind: 'void', because: `${debt.region} has authority again` };
  if (acl.kind === 'unreachable') return { kind: 'wait', because: acl.because };
  if (acl.kind === 'fence' && acl.activeRegion === authority.region) {
    return { kind: 'paid', because: `${debt.region} sends its callers to ${authority.region}` };
  }
  return { kind: 'fence' };
}

/**
 * Which debts are looked at in this cycle: every one, no more often than twice a sample. The debt of the operation
 * in progress waits until that has settled: looking at a router that hangs would slow down each of its steps.
 */
export function dueDebts(record: ControlRecord, policy: Policy, nowMs: number): readonly FenceDebt[] {
  return record.fenceDebts.filter(({ epoch, lastTriedAtMs }) => {
    const isOfThisOperation = record.operation?.toEpoch === epoch;
    return !isOfThisOperation && Math.abs(nowMs - lastTriedAtMs) >= policy.sampleEveryMs / 2;
  });
}
