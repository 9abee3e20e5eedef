import type { Pool, PoolClient } from 'pg';
import type { ExpectedEpoch, InEpoch } from '../../epochs/store';
import { inEpoch } from '../../platform/postgres/transaction';
import type { Watch } from '../ports';
import { moveControlRooms, STANDING_COLUMNS, type StandingRow } from './move-control-rooms';

const WATCH_LOCK = 7_303_014_010;
const MOVED_MAX = 500;
/** Watches follow each other within two seconds; a longer pause was an outage of ours. */
const UNWATCHED_SECONDS_MIN = 10;

/** One watch at a time is enough: the others find the lock taken and come by later. */
const TRY_WATCH_LOCK = `
select pg_try_advisory_xact_lock(${WATCH_LOCK}) as watches, exists (select from control_room) as rooms`;

const WATCHED = `
with before as (select watched_at from control_room_watch for update)
update control_room_watch w set watched_at = clock_timestamp() from before
returning extract(epoch from w.watched_at - before.watched_at)::float8 as gap`;

/** Nobody could be heard in the gap, nor give a seat back: neither counts. */
const FORGIVE = `
update control_room set
  silent_since = greatest(silent_since, least(clock_timestamp(), silent_since + make_interval(secs => $1))),
  oversubscribed_since = least(clock_timestamp(), oversubscribed_since + make_interval(secs => $1))`;

/** Every Control Room is written then, which may take longer than a grant does. */
const FORGIVING_TIME_LIMIT = `set local statement_timeout = '20s'`;

/** A Control Room holds seats beyond those sold while a pool stands in its overdraft, but for what is reserved for it. */
const MARK_OVERSUBSCRIBED = `
with over as (
  select distinct u.control_room as id
  from pool p join control_room_use u on u.pool_id = p.id
  left join reservation own on own.pool_id = p.id and own.control_room = u.control_room
  where p.seats_taken - p.seats_over > p.seats and u.seats_taken > coalesce(own.seats, 0)
)
update control_room r
set oversubscribed_since = case when over.id is not null then clock_timestamp() end
from (select id from control_room where oversubscribed_since is not null union select id from over) concerned
left join over using (id)
where r.id = concerned.id and (r.oversubscribed_since is null) = (over.id is not null)`;

/** Those that the table of transitions has a step for, by the same thresholds. */
const DUE = `
select ${STANDING_COLUMNS}
from control_room r join license l on l.id = r.license_id
cross join lateral (
  select greatest(3, l.grace_seconds) as grace,
    greatest(3, l.grace_seconds, l.suspend_after_seconds) as suspend_after,
    extract(epoch from clock_timestamp() - least(r.silent_since, r.oversubscribed_since)) as trouble
) t
where case r.state
  when 'active' then t.trouble >= t.grace
  when 'fail_safe' then t.trouble < t.grace or t.trouble >= t.suspend_after
  else t.trouble < t.suspend_after end
order by r.id limit ${MOVED_MAX} for update of r skip locked`;

/** Looks after all Control Rooms once: forgives our own silence, then moves who is due. */
export async function watchControlRooms(database: Pool, expected: ExpectedEpoch): Promise<InEpoch<Watch>> {
  return inEpoch(database, expected, TRY_WATCH_LOCK, async (client, [lock]) => {
    if (lock?.watches !== true || lock.rooms !== true) return { forgivenSeconds: 0, movements: [], more: false };
    const forgivenSeconds = await forgiveGap(client);
    await client.query(MARK_OVERSUBSCRIBED);
    const due = await client.query<StandingRow>(DUE);
    const movements = await moveControlRooms(client, due.rows);
    return { forgivenSeconds, movements, more: due.rows.length === MOVED_MAX };
  });
}

async function forgiveGap(client: PoolClient): Promise<number> {
  const watched = await client.query<{ gap: number }>(WATCHED);
  const gap = watched.rows[0]?.gap ?? 0;
  if (gap < UNWATCHED_SECONDS_MIN) return 0;
  await client.query(FORGIVING_TIME_LIMIT);
  await client.query(FORGIVE, [gap]);
  return gap;
}
