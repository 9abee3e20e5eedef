import type { Pool } from 'pg';
import { withConnection } from '../../platform/postgres/connection';
import type { DayOfDenials, DayOfUse, DayRange, HolderFilter, Holding } from '../store';
import { instant } from './read-log';

/** On a day without events, use is the same as at the end of the previous day. A pool appears from its first event on. */
const READ_USAGE = `
select to_char(day at time zone 'UTC', 'YYYY-MM-DD') as day, 'pool/' || pool.id as chain, license_id as "licenseId", product, feature, seats,
  greatest(used.seats_peak, used.seats_taken_before)::integer as "seatsPeak",
  round((used.seat_ms + used.seats_taken * greatest(0, extract(epoch from ends - used.counted_until) * 1000))
    / greatest(1, extract(epoch from ends - day) * 1000), 3)::float8 as "seatsAverage"
from pool
cross join lateral (
  select day at time zone 'UTC' as day, least((day + interval '1 day') at time zone 'UTC', clock_timestamp()) as ends
  from generate_series($1::date::timestamp,
    least($2::date, (clock_timestamp() at time zone 'UTC')::date)::timestamp, interval '1 day') as day
) each_day
cross join lateral (
  (select counted.seats_peak, counted.seat_ms, counted.counted_until, counted.seats_taken, counted.seats_peak as seats_taken_before
   from audit_usage counted where counted.chain = 'pool/' || pool.id and counted.day = (each_day.day at time zone 'UTC')::date)
  union all
  (select carried.seats_taken, 0, each_day.day, carried.seats_taken, carried.seats_taken
   from audit_usage carried where carried.chain = 'pool/' || pool.id and carried.day < (each_day.day at time zone 'UTC')::date
   order by carried.day desc limit 1)
  limit 1
) used
where $3::text is null or license_id = $3
order by day, license_id, product, feature`;

/** Peak and average of seats taken, by pool and day. */
export async function readUsage(database: Pool, { since, until, licenseId }: DayRange): Promise<DayOfUse[]> {
  const { rows } = await withConnection(database, (client) =>
    client.query<DayOfUse>({ name: 'audit-usage', text: READ_USAGE, values: [since, until, licenseId ?? null] }),
  );
  return rows;
}

/** Denials are counted as their events are written, so any number of denials per day, pool and code is one row. */
export const READ_DENIALS = `
select to_char(day, 'YYYY-MM-DD') as day, chain, license_id as "licenseId", product, feature, code,
  denials::float8 as denials, seats_asked::float8 as "seatsAsked"
from audit_denials
join pool on chain = 'pool/' || pool.id
where day between $1::date and $2::date and ($3::text is null or license_id = $3)
order by day, license_id, product, feature, code`;

/** Number of denied checkouts, by pool, day and code. */
export async function readDenials(database: Pool, { since, until, licenseId }: DayRange): Promise<DayOfDenials[]> {
  const { rows } = await withConnection(database, (client) =>
    client.query<DayOfDenials>(READ_DENIALS, [since, until, licenseId ?? null]),
  );
  return rows;
}

const HELD_CLASS_MAX = 48;

/** Must match the expression of the index. */
const HELD_CLASS = `ceil(ln((body ->> 'heldMs')::float8 + 1) / ln(2::float8))::smallint`;

/**
 * Unites leases that ended after the instant, from the log, with leases that are still held. The log is searched by
 * class of duration: an event can only matter within the maximum duration of its class after the instant. One extra
 * second covers the difference between the clock readings of neighbouring events.
 */
const READ_HOLDERS = `
select "leaseId", chain, license_id as "licenseId", product, feature, holder, held.seats, "controlRoom", identity,
  ${instant('held.from')} as "from", ${instant('held.until')} as until, ended
from (
  select (event.body ->> 'lease')::uuid as "leaseId", event.chain, event.body ->> 'holder' as holder,
    (event.body ->> 'seats')::int as seats, event.body ->> 'controlRoom' as "controlRoom", event.body ->> 'identity' as identity,
    (event.body ->> 'grantedAt')::timestamptz as "from", event.at as until, event.kind as ended
  from generate_series(0, ${HELD_CLASS_MAX}) as class
  cross join lateral (
    select * from audit_event
    where kind in ('lease_released', 'lease_forced', 'lease_expired', 'lease_disconnected', 'altered')
      and (${HELD_CLASS}) = class::smallint and at > $1
      and at <= $1::timestamptz + make_interval(secs => 2 ^ class / 1000 + 1)
  ) event
  where (event.body ->> 'grantedAt')::timestamptz <= $1
  union all
  select id, 'pool/' || pool_id, holder, seats, control_room::text, identity, granted_at, null, null
  from lease where state = 'live' and granted_at <= $1
) held
join pool on held.chain = 'pool/' || pool.id
where ($2::text is null or license_id = $2) and ($3::uuid is null or "leaseId" > $3)
order by "leaseId"
limit $4`;

/** Reads the leases held at an instant. */
export async function readHolders(database: Pool, { at, licenseId, after, limit }: HolderFilter): Promise<Holding[]> {
  const { rows } = await withConnection(database, (client) =>
    client.query<Holding>(READ_HOLDERS, [at, licenseId ?? null, after ?? null, limit]),
  );
  return rows;
}
