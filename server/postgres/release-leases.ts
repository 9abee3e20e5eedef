import type { Pool } from 'pg';
import type { LeaseClaim } from '../core/lease';
import type { ExpectedEpoch, InEpoch, ReleaseRequest, ReleaseVerdict } from '../ports';
import { inEpoch } from './transaction';

/** Pools before leases, each in the order of their ids: the lock order everywhere. */
const LOCK_POOLS = `
select id from pool
where id in (select pool_id from lease where id = any($1::uuid[]))
   or (product, feature) in (select * from unnest($2::text[], $3::text[]))
order by id for update`;

const RELEASE_LEASES = `
with locked as materialized (
  select id, state from lease where id = any($1::uuid[]) and pool_id = any($2::bigint[]) order by id for update
), released as (
  update lease set state = 'released', ended_at = clock_timestamp()
  from locked where lease.id = locked.id and locked.state = 'live'
)
select id, state from locked`;

const RECORD_RELEASED = `
insert into lease (id, pool_id, holder, seats, seq, epoch, granted_at, expires_at, state, ended_at)
select claim.id, pool.id, claim.holder, claim.seats, claim.seq, claim.epoch,
  clock_timestamp(), to_timestamp(claim.expires_at_ms / 1000), 'released', clock_timestamp()
from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::int[], $6::bigint[], $7::bigint[], $8::float8[])
  as claim (id, product, feature, holder, seats, seq, epoch, expires_at_ms)
join pool on pool.product = claim.product and pool.feature = claim.feature
order by claim.id
on conflict (id) do nothing
returning id`;

/** Releases leases of any pools in one transaction. Resolves to a verdict for each request, in order. */
export async function releaseLeases(
  database: Pool,
  requests: readonly ReleaseRequest[],
  expected: ExpectedEpoch,
): Promise<InEpoch<readonly ReleaseVerdict[]>> {
  const leaseIds = requests.map((request) => request.leaseId);
  const claims = requests.flatMap((request) => request.claim ?? []);
  return inEpoch(database, expected, '', async (client) => {
    const pools = await client.query<{ id: number }>({
      name: 'lock-pools',
      text: LOCK_POOLS,
      values: [leaseIds, claims.map((claim) => claim.product), claims.map((claim) => claim.feature)],
    });
    const ended = await client.query<{ id: string; state: string }>({
      name: 'release-leases',
      text: RELEASE_LEASES,
      values: [leaseIds, pools.rows.map((pool) => pool.id)],
    });
    const stateBefore = new Map(ended.rows.map((row) => [row.id, row.state]));
    const unknownClaims = claims.filter((claim) => !stateBefore.has(claim.leaseId));
    const recorded = new Set<string>();
    if (unknownClaims.length > 0) {
      const rows = await client.query<{ id: string }>(RECORD_RELEASED, recordedValues(unknownClaims));
      for (const row of rows.rows) recorded.add(row.id);
    }
    return leaseIds.map((id): ReleaseVerdict => {
      const before = stateBefore.get(id);
      if (before !== undefined) return { kind: before === 'live' ? 'released' : 'already_ended' };
      return { kind: recorded.has(id) ? 'recorded' : 'unknown' };
    });
  });
}

function recordedValues(claims: readonly LeaseClaim[]): unknown[] {
  const column = <K extends keyof LeaseClaim>(key: K): LeaseClaim[K][] => claims.map((claim) => claim[key]);
  return [
    column('leaseId'),
    column('product'),
    column('feature'),
    column('holder'),
    column('seats'),
    column('seq'),
    column('epoch'),
    column('expiresAtMs'),
  ];
}
