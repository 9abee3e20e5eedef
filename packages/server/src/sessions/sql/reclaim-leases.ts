import type { Pool } from 'pg';
import type { ExpectedEpoch, InEpoch } from '../../epochs/store';
import { endedBecause } from '../../granting/core/lease';
import { milliseconds } from '../../granting/sql/rows';
import { inEpoch } from '../../platform/postgres/transaction';
import type { ReclaimRequest } from '../store';

/** Pools before leases, each in the order of their ids: the lock order everywhere. */
const LOCK_POOLS = `
select id from pool
where on_disconnect = 'release' and id in (select pool_id from lease where id = any($1::uuid[]))
order by id for update`;

/**
 * Ends only leases that were not renewed after the session's last renewal: a client that is back on another server
 * keeps them, and so does a later checkout of the same installation. While a lease lasts longer than its TTL (an
 * opening of an epoch extended it, or it is borrowed) a renewal would not show, so such a lease is left alone.
 */
const RECLAIM_LEASES = `
with due as (
  select lease.id
  from unnest($1::uuid[], $2::float8[], $3::text[], $6::int[]) as held (id, expires_at_ms, ended_by, handover)
  join lease on lease.id = held.id
  join pool on pool.id = lease.pool_id
  where lease.pool_id = any($4::bigint[]) and lease.state = 'live' and lease.ending_since is null and not lease.borrowed
    and ${milliseconds('lease.expires_at')} = held.expires_at_ms and lease.handover = held.handover
    and lease.expires_at <= clock_timestamp() + pool.lease_ttl_seconds * interval '1 second'
  order by lease.id for update of lease
)
update lease set ending_since = clock_timestamp(), ended_because = $5, ended_by = held.ended_by
from due join unnest($1::uuid[], $3::text[]) as held (id, ended_by) using (id)
where lease.id = due.id
returning lease.id`;

/** Marks the leases of sessions that closed without a close frame to end, where the license says so. Resolves to their ids. */
export async function reclaimLeases(
  database: Pool,
  requests: readonly ReclaimRequest[],
  expected: ExpectedEpoch,
): Promise<InEpoch<readonly string[]>> {
  return inEpoch(database, expected, '', async (client) => {
    const leaseIds = requests.map(({ leaseId }) => leaseId);
    const pools = await client.query<{ id: number }>({
      name: 'lock-release-pools',
      text: LOCK_POOLS,
      values: [leaseIds],
    });
    if (pools.rows.length === 0) return [];
    const reclaimed = await client.query<{ id: string }>({
      name: 'reclaim-leases',
      text: RECLAIM_LEASES,
      values: [
        leaseIds,
        requests.map(({ expiresAtMs }) => expiresAtMs),
        requests.map(({ endedBy }) => endedBy),
        pools.rows.map(({ id }) => id),
        endedBecause({ kind: 'disconnected' }),
        requests.map(({ handover }) => handover),
      ],
    });
    return reclaimed.rows.map(({ id }) => id);
  });
}
