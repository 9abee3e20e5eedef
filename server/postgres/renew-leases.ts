import type { Pool } from 'pg';
import type { Lease } from '../core/lease';
import { renewalVerdict } from '../core/renewal';
import type { Entitlement, ExpectedEpoch, InEpoch, Renewal } from '../ports';
import { LEASE_COLUMNS, type LeaseRow, leaseOf, milliseconds } from './rows';
import { inEpoch } from './transaction';

/** Locked in the order of their ids; each row's clock is read after its lock was taken. */
const LOCK_LEASES = `
with locked as materialized (
  select * from lease where id = any($1::uuid[]) order by id for update
)
select ${LEASE_COLUMNS}, p.product, p.feature, p.lease_ttl_seconds * 1000::bigint as "leaseTtlMs",
  ${milliseconds('clock_timestamp()')} as now_ms
from locked l join pool p on p.id = l.pool_id`;

const RENEW_LEASES = `
update lease set expires_at = to_timestamp(renewed.expires_at_ms / 1000), epoch = $3
from unnest($1::uuid[], $2::float8[]) as renewed (id, expires_at_ms)
where lease.id = renewed.id and lease.state = 'live'`;

/**
 * Renews leases of any pools in one transaction. Renewing changes no count, so no pool is locked.
 * Resolves to a verdict for each lease id, in order.
 */
export async function renewLeases(
  database: Pool,
  leaseIds: readonly string[],
  expected: ExpectedEpoch,
): Promise<InEpoch<readonly Renewal[]>> {
  return inEpoch(database, expected, '', async (client) => {
    const rows = await client.query<LeaseRow & Omit<Entitlement, 'poolId'> & { now_ms: number }>({
      name: 'lock-leases',
      text: LOCK_LEASES,
      values: [leaseIds],
    });
    const renewals = new Map<string, Renewal>();
    const renewed: Lease[] = [];
    for (const row of rows.rows) {
      const { now_ms: nowMs, pool_id: poolId, product, feature, leaseTtlMs } = row;
      const verdict = renewalVerdict({ lease: leaseOf(row), nowMs, leaseTtlMs }, expected.epoch);
      if (verdict.kind === 'renewed') renewed.push(verdict.lease);
      const entitlement = { poolId, product, feature, leaseTtlMs };
      renewals.set(row.id, verdict.kind === 'renewed' ? { ...verdict, entitlement, nowMs } : verdict);
    }
    if (renewed.length > 0) {
      await client.query({
        name: 'renew-leases',
        text: RENEW_LEASES,
        values: [renewed.map((lease) => lease.id), renewed.map((lease) => lease.expiresAtMs), expected.epoch],
      });
    }
    return leaseIds.map((id) => renewals.get(id) ?? { kind: 'unknown' });
  });
}
