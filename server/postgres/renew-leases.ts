import type { Pool } from 'pg';
import type { LicenseKind, OutagePolicy } from '../core/entitlement';
import type { Lease } from '../core/lease';
import { type LockedLease, type RenewalRequest, renewalVerdict } from '../core/renewal';
import type { ExpectedEpoch, InEpoch, LeasedPool, Renewal, RenewedLease } from '../ports';
import { LEASE_COLUMNS, type LeaseRow, leaseOf, milliseconds } from './rows';
import { batchInEpoch } from './transaction';
import { triadRefusals } from './triads/refusals';

/** Locked in the order of their ids; each row's clock is read after its lock was taken. */
const LOCK_LEASES = `
with locked as materialized (
  select * from lease where id = any($1::uuid[]) order by id for update
)
select ${LEASE_COLUMNS}, p.license_id as "licenseId", p.product, p.feature,
  p.lease_ttl_seconds * 1000::bigint as "leaseTtlMs", ${milliseconds('license.valid_from')} as "validFromMs",
  ${milliseconds('license.valid_until')} as "validUntilMs", p.on_disconnect as "onDisconnect",
  p.acked_seq as "ackedSeq", p.escrow,
  license.kind, license.servers, license.grace_seconds as "graceSeconds", license.suspend_after_seconds as "suspendAfterSeconds", ${milliseconds('clock_timestamp()')} as "nowMs"
from locked l join pool p on p.id = l.pool_id join license on license.id = p.license_id`;

interface LicenseColumns {
  readonly kind: LicenseKind;
  readonly servers: readonly string[];
}

type LockedRow = LeaseRow &
  Pick<RenewedLease, 'ackedSeq' | 'escrow'> &
  LicenseColumns &
  Omit<LeasedPool, 'policy'> &
  OutagePolicy &
  Omit<LockedLease, 'lease'>;

const RENEW_LEASES = `
update lease set expires_at = to_timestamp(renewed.expires_at_ms / 1000), epoch = $3, must_outlive = null
from unnest($1::uuid[], $2::float8[]) as renewed (id, expires_at_ms)
where lease.id = renewed.id and lease.state = 'live'`;

/**
 * Renews leases of any pools in one transaction. Renewing changes no count, so no pool is locked.
 * Resolves to a verdict for each request, in order.
 */
export async function renewLeases(
  database: Pool,
  requests: readonly RenewalRequest[],
  expected: ExpectedEpoch,
): Promise<InEpoch<readonly Renewal[]>> {
  const leaseIds = requests.map((request) => request.leaseId);
  const opening = [{ name: 'lock-leases', text: LOCK_LEASES, values: [leaseIds] }];
  return batchInEpoch(database, { expected, opening }, async (transaction, opened) => {
    const [rows = []] = opened as unknown as LockedRow[][];
    const found = new Map(rows.map((row) => [row.id, row]));
    const isRedundant = rows.some(({ kind }) => kind === 'redundant');
    const refusalOf = isRedundant ? await triadRefusals(transaction.client, expected.triads) : () => undefined;
    const renewed = new Map<string, Lease>();
    const renewals = requests.map((request): Renewal => {
      const row = found.get(request.leaseId);
      const refusal = row?.kind === 'redundant' ? refusalOf(row.servers) : undefined;
      if (refusal) return refusal;
      const verdict = renewalVerdict(request, row && { ...row, lease: leaseOf(row) }, expected.epoch);
      if (verdict.kind !== 'renewed' || !row) return verdict.kind === 'renewed' ? { kind: 'unknown' } : verdict;
      renewed.set(row.id, verdict.lease);
      const { licenseId, product, feature, leaseTtlMs, onDisconnect, graceSeconds, suspendAfterSeconds, nowMs } = row;
      const policy = { graceSeconds, suspendAfterSeconds };
      const { ackedSeq, escrow } = row;
      const pool = { licenseId, product, feature, leaseTtlMs, onDisconnect, policy };
      return { ...verdict, pool, ackedSeq, escrow, nowMs };
    });
    if (renewed.size > 0) {
      const leases = [...renewed.values()];
      transaction.write({
        name: 'renew-leases',
        text: RENEW_LEASES,
        values: [leases.map((lease) => lease.id), leases.map((lease) => lease.expiresAtMs), expected.epoch],
      });
    }
    return renewals;
  });
}
