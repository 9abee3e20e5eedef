import type { Pool, PoolClient } from 'pg';
import type { ExpectedEpoch, InEpoch } from '../../epochs/store';
import { inEpoch } from '../../platform/postgres/transaction';
import type { StateSweep } from '../store';
import { changeStates, STATE_COLUMNS, type StateRow } from './change-states';

const SWEEP_LOCK = 7_303_014_010;
const CHANGED_MAX = 500;
/** Sweeps follow each other within two seconds; a longer gap is an outage of the servers. */
const GAP_SECONDS_MIN = 10;

/** One sweep at a time is enough: the other servers find the lock taken and try again later. */
const TRY_SWEEP_LOCK = `
select pg_try_advisory_xact_lock(${SWEEP_LOCK}) as sweeps, exists (select from control_room) as rooms`;

const RECORD_SWEEP = `
with before as (select watched_at from control_room_watch for update)
update control_room_watch w set watched_at = clock_timestamp() from before
returning extract(epoch from w.watched_at - before.watched_at)::float8 as gap`;

/** During the gap no Control Room could send a heartbeat or release a seat, so the gap is not counted. */
const FORGIVE_GAP = `
update control_room set
  silent_since = greatest(silent_since, least(clock_timestamp(), silent_since + make_interval(secs => $1))),
  oversubscribed_since = least(clock_timestamp(), oversubscribed_since + make_interval(secs => $1))`;

/** Forgiving a gap updates every Control Room, which may take longer than a grant. */
const FORGIVING_TIME_LIMIT = `set local statement_timeout = '20s'`;

/** A Control Room is oversubscribed while a pool is in overdraft and it holds more than its own reservation. */
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

/** Control Rooms for which the table of transitions has a step, by the same thresholds. */
const READ_DUE = `
select ${STATE_COLUMNS}
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
order by r.id limit ${CHANGED_MAX} for update of r skip locked`;

/** Checks all Control Rooms once: forgives a gap between sweeps, then changes the states that are due. */
export async function sweepStates(database: Pool, expected: ExpectedEpoch): Promise<InEpoch<StateSweep>> {
  return inEpoch(database, expected, TRY_SWEEP_LOCK, async (client, [lock]) => {
    if (lock?.sweeps !== true || lock.rooms !== true) return { forgivenSeconds: 0, changes: [], more: false };
    const forgivenSeconds = await forgiveGap(client);
    await client.query(MARK_OVERSUBSCRIBED);
    const due = await client.query<StateRow>(READ_DUE);
    const changes = await changeStates(client, due.rows);
    return { forgivenSeconds, changes, more: due.rows.length === CHANGED_MAX };
  });
}

async function forgiveGap(client: PoolClient): Promise<number> {
  const swept = await client.query<{ gap: number }>(RECORD_SWEEP);
  const gap = swept.rows[0]?.gap ?? 0;
  if (gap < GAP_SECONDS_MIN) return 0;
  await client.query(FORGIVING_TIME_LIMIT);
  await client.query(FORGIVE_GAP, [gap]);
  return gap;
}
