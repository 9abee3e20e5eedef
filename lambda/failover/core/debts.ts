import type { AuthorityView } from './authority';
import type { ControlRecord, FenceDebt } from './control-record';
import type { HistoryEntry } from './history';
import type { Operation } from './operations';
import type { Policy } from './policy';
import type { AclView } from './sights';

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

/** During an operation each cycle is a fraction of a second long: a debt is tried no more often than a sample is taken. */
export function isDue(debt: FenceDebt, policy: Policy, nowMs: number): boolean {
  return Math.abs(nowMs - debt.lastTriedAtMs) >= policy.sampleEveryMs / 2;
}
