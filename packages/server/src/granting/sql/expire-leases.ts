import type { Pool } from 'pg';
import type { ExpectedEpoch, InEpoch } from '../../epochs/store';
import { inEpoch } from '../../platform/postgres/transaction';
import { licensesRefused } from '../../redundancy/sql/triad-refusals';
import type { OverdraftChange, Sweep } from '../store';

const SWEEP_LOCK = 7_303_014_002;
const EXPIRED_MAX = 200;

/** One sweeper at a time is enough. The other servers find the lock taken and retry later. */
const TRY_SWEEP_LOCK = `select pg_try_advisory_xact_lock(${SWEEP_LOCK}) as swept`;

const OVERDRAWN = 'seats_taken - seats_over > seats';

/**
 * Leases do not expire while no server could have renewed them, so licenses of triads that this server does not control
 * are skipped. Only the lease of each pool that expires first is read: the others are not due before it.
 */
export const LOCK_POOLS_DUE = `
select id from pool
where license_id <> all($1::text[]) and (awaited_until <= clock_timestamp() or overdraft_told <> (${OVERDRAWN})
   or (select expires_at from lease where pool_id = pool.id and state = 'live' order by expires_at limit 1)
      <= clock_timestamp())
order by id for update`;

const RELEASE_HELD_BACK = `
update pool set seats_awaited = 0, seats_held_back = 0, awaited_until = null
where id = any($1::bigint[]) and awaited_until <= clock_timestamp()`;

/** `ended_by` is the server that ended the lease: its connections carry its name. */
export const EXPIRED = `state = 'expired', ended_at = clock_timestamp(), ended_because = 'expired',
  ended_by = current_setting('application_name')`;

export const EXPIRE_LEASES = `
update lease set ${EXPIRED} where id = any(array(
  select id from lease where pool_id = any($1::bigint[]) and state = 'live'
    and expires_at <= (select clock_timestamp())
  order by expires_at limit ${EXPIRED_MAX} for update skip locked
))`;

/** Runs after the expiries, because they may have brought a pool back within its seats. */
const UPDATE_OVERDRAFT = `
update pool set overdraft_told = (${OVERDRAWN})
where id = any($1::bigint[]) and overdraft_told <> (${OVERDRAWN})
returning license_id as "licenseId", product, feature, seats, overdraft, seats_taken - seats_over as "seatsTaken",
  overdraft_told as overdrawn`;

/** A concurrent request for a place either renews the row first, or joins the queue again after the row is deleted. */
const DELETE_EXPIRED_PLACES = `
delete from queue_place where lease_id in (
  select lease_id from queue_place where expires_at <= clock_timestamp()
    and pool_id not in (select id from pool where license_id = any($1::text[])) order by lease_id limit ${EXPIRED_MAX}
  for update skip locked
)`;

/** Ends a bounded number of expired leases and hold-backs. Resolves to the pools that entered or left overdraft. */
export async function expireLeases(database: Pool, expected: ExpectedEpoch): Promise<InEpoch<Sweep>> {
  return inEpoch(database, expected, TRY_SWEEP_LOCK, async (client, [lock]) => {
    const nothing: Sweep = { expired: 0, more: false, overdraftChanges: [] };
    if (lock?.swept !== true) return nothing;
    const refused = await licensesRefused(client, expected.triads);
    await client.query(DELETE_EXPIRED_PLACES, [refused]);
    const due = await client.query<{ id: number }>(LOCK_POOLS_DUE, [refused]);
    if (due.rows.length === 0) return nothing;
    const poolIds = [due.rows.map((pool) => pool.id)];
    await client.query(RELEASE_HELD_BACK, poolIds);
    const expired = (await client.query(EXPIRE_LEASES, poolIds)).rowCount ?? 0;
    const changes = await client.query<OverdraftChange>(UPDATE_OVERDRAFT, poolIds);
    return { expired, more: expired === EXPIRED_MAX, overdraftChanges: changes.rows };
  });
}
