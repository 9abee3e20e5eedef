import type { Pool } from 'pg';
import type { ExpectedEpoch, InEpoch } from '../../epochs/store';
import { inEpoch } from '../../platform/postgres/transaction';

const MARKED_MAX = 200;

const FIND_MARKED = `
select id from lease where state = 'live' and ending_since is not null order by pool_id limit ${MARKED_MAX}`;

/** Pools before leases, each in the order of their ids: the lock order everywhere. */
const LOCK_POOLS = `
select id from pool where id in (select pool_id from lease where id = any($1::uuid[])) order by id for update`;

const END_MARKED = `
update lease set state = 'released', ended_at = clock_timestamp()
where state = 'live' and ending_since is not null and id = any(array(
  select id from lease where id = any($1::uuid[]) order by id for update
))`;

/** Resolves to a bounded number of marked leases. */
export function findMarkedLeases(database: Pool, expected: ExpectedEpoch): Promise<InEpoch<readonly string[]>> {
  return inEpoch(database, expected, FIND_MARKED, async (_client, rows) => rows.map(({ id }) => String(id)));
}

/** Ends those of the leases that are still marked. */
export function endMarkedLeases(
  database: Pool,
  leaseIds: readonly string[],
  expected: ExpectedEpoch,
): Promise<InEpoch<number>> {
  return inEpoch(database, expected, '', async (client) => {
    await client.query(LOCK_POOLS, [leaseIds]);
    return (await client.query(END_MARKED, [leaseIds])).rowCount ?? 0;
  });
}
