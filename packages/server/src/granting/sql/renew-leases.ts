import type { Pool } from 'pg';
import type { ExpectedEpoch, InEpoch } from '../../epochs/store';
import { batchInEpoch } from '../../platform/postgres/transaction';
import { triadRefusals } from '../../redundancy/sql/triad-refusals';
import type { LicenseKind, OutagePolicy } from '../core/entitlement';
import type { Lease } from '../core/lease';
import { type LockedLease, type RenewalRequest, renewalVerdict } from '../core/renewal';
import type { LeasedPool, Renewal, RenewedLease } from '../store';
import { LEASE_COLUMNS, type LeaseRow, leaseOf, milliseconds } from './rows';

/** Locks leases in the order of their ids. Each row's clock is read after its lock is taken. */
const LOCK_LEASES = `
with locked as materialized (
  select * from lease where id = any($1::uuid[]) order by id for update
)
select ${LEASE_COLUMNS}, ${milliseconds('clock_timestamp()')} as "nowMs" from locked l`;

/** The terms of the leases, one row per pool, because most leases of a batch belong to few pools. */
const TERMS_OF_LEASES = `
select p.id as "poolId", p.license_id as "licenseId", p.product, p.feature,
  p.lease_ttl_seconds * 1000::bigint as "leaseTtlMs", ${milliseconds('license.valid_from')} as "validFromMs",
  ${milliseconds('license.valid_until')} as "validUntilMs", p.on_disconnect as "onDisconnect",
  p.acked_seq as "ackedSeq", p.escrow, license.kind, license.servers, license.grace_seconds as "graceSeconds",
  license.suspend_after_seconds as "suspendAfterSeconds"
from pool p join license on license.id = p.license_id
where p.id = any(array(select pool_id from lease where id = any($1::uuid[])))`;

type LockedRow = LeaseRow & Pick<LockedLease, 'nowMs'>;

type Terms = Omit<LeasedPool, 'policy'> &
  OutagePolicy &
  Omit<LockedLease, 'lease' | 'nowMs'> &
  Pick<RenewedLease, 'ackedSeq' | 'escrow'> & {
    readonly poolId: number;
    readonly kind: LicenseKind;
    readonly servers: readonly string[];
  };

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
  const values = [requests.map((request) => request.leaseId)];
  const opening = [
    { name: 'lock-leases', text: LOCK_LEASES, values },
    { name: 'terms-of-leases', text: TERMS_OF_LEASES, values },
  ];
  return batchInEpoch(database, { expected, opening }, async (transaction, opened) => {
    const [rows = [], pools = []] = opened as unknown as [LockedRow[], Terms[]];
    const found = new Map(rows.map((row) => [row.id, row]));
    const termsOf = new Map(pools.map((terms) => [terms.poolId, terms]));
    const isRedundant = pools.some(({ kind }) => kind === 'redundant');
    const refusalOf = isRedundant ? await triadRefusals(transaction.client, expected.triads) : () => undefined;
    const renewed = new Map<string, Lease>();
    const renewals = requests.map((request): Renewal => {
      const row = found.get(request.leaseId);
      const terms = row && termsOf.get(row.pool_id);
      if (!row || !terms) return { kind: 'unknown' };
      const refusal = terms.kind === 'redundant' ? refusalOf(terms.servers) : undefined;
      if (refusal) return refusal;
      const { nowMs } = row;
      const { leaseTtlMs, validFromMs, validUntilMs, ackedSeq, escrow } = terms;
      const locked = { lease: leaseOf(row), nowMs, leaseTtlMs, validFromMs, validUntilMs };
      const verdict = renewalVerdict(request, locked, expected.epoch);
      if (verdict.kind !== 'renewed') return verdict;
      renewed.set(row.id, verdict.lease);
      return { ...verdict, pool: leasedPool(terms), ackedSeq, escrow, nowMs };
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

function leasedPool({ licenseId, product, feature, leaseTtlMs, onDisconnect, ...terms }: Terms): LeasedPool {
  const { graceSeconds, suspendAfterSeconds } = terms;
  return { licenseId, product, feature, leaseTtlMs, onDisconnect, policy: { graceSeconds, suspendAfterSeconds } };
}
