import type { GrantRequest, GrantVerdict } from '../../granting/core/grant';
import type { Statement } from '../../platform/postgres/transaction';

const NO_DENIALS: ReadonlySet<GrantVerdict['kind']> = new Set(['granted', 'queued']);

/**
 * Returns the statement that records the denials of a batch in the audit log, for the transaction that decided them.
 * Undefined when there are none. A heartbeat without a lease to adopt is not a denial.
 */
export function recordDenials(
  poolId: number,
  requests: readonly GrantRequest[],
  verdicts: readonly GrantVerdict[],
): Statement | undefined {
  const denials = verdicts.flatMap((verdict, index) => {
    const request = requests[index];
    if (request?.intent !== 'checkout' || NO_DENIALS.has(verdict.kind)) return [];
    const { leaseId: lease, holder, seats, grantedBy: actor, controlRoom, identity } = request;
    const seatsFree = verdict.kind === 'no_seat_available' ? verdict.seatsFree : undefined;
    return [{ code: verdict.kind, lease, holder, seats, actor, controlRoom, identity, seatsFree }];
  });
  if (denials.length === 0) return undefined;
  return {
    name: 'record-denials',
    text: 'select evergrant_audit_denials($1, $2)',
    values: [poolId, JSON.stringify(denials)],
  };
}
