import type { PoolClient } from 'pg';
import { milliseconds } from '../../granting/sql/rows';
import type { Queue, QueuePlace } from '../core/queue';

const LOAD_QUEUE = `
select place.lease_id as "leaseId", number, holder, seats, place.control_room as "controlRoom", room.group_name as "group",
  identity, requested_by as "requestedBy", ${milliseconds('expires_at')} as "expiresAtMs"
from queue_place place left join control_room room on room.id = place.control_room
where pool_id = $1 and expires_at > clock_timestamp()
order by number, place.lease_id`;

type PlaceRow = Omit<QueuePlace, 'controlRoom' | 'group' | 'identity'> & {
  readonly controlRoom: string | null;
  readonly group: string | null;
  readonly identity: string | null;
};

/** The live places of a pool, in order. Read under the pool's row lock. */
export async function loadQueue(client: PoolClient, poolId: number): Promise<QueuePlace[]> {
  const found = await client.query<PlaceRow>({ name: 'load-line', text: LOAD_QUEUE, values: [poolId] });
  return found.rows.map(({ controlRoom, group, identity, ...place }) => ({
    ...place,
    controlRoom: controlRoom ?? undefined,
    group: group ?? undefined,
    identity: identity ?? undefined,
  }));
}

/** A place that expired or was in the queue of another pool starts again under the same lease id. */
const SAVE_QUEUE = `
with gone as (
  delete from queue_place where lease_id = any($2::uuid[])
), numbered as (
  update pool set queue_seq = $3 where id = $1 and queue_seq <> $3
)
insert into queue_place as place (lease_id, pool_id, number, holder, seats, control_room, identity, requested_by, expires_at)
select wish.lease_id, $1, wish.number, wish.holder, wish.seats, wish.control_room, wish.identity, wish.requested_by,
  to_timestamp(wish.expires_at_ms / 1000)
from unnest($4::uuid[], $5::bigint[], $6::text[], $7::int[], $8::uuid[], $9::text[], $10::text[], $11::float8[])
  as wish (lease_id, number, holder, seats, control_room, identity, requested_by, expires_at_ms)
order by wish.lease_id
on conflict (lease_id) do update set pool_id = excluded.pool_id, number = excluded.number, holder = excluded.holder,
  seats = excluded.seats, control_room = excluded.control_room, identity = excluded.identity,
  requested_by = excluded.requested_by, expires_at = excluded.expires_at,
  enqueued_at = case when place.pool_id = excluded.pool_id and place.number = excluded.number then place.enqueued_at
                     else excluded.enqueued_at end`;

/** Saves the changes of a batch. Writes nothing when the queue is unchanged. */
export async function saveQueue(
  client: PoolClient,
  poolId: number,
  { written, left, lastNumber }: Queue['changes'],
): Promise<void> {
  if (written.length === 0 && left.length === 0) return;
  await client.query({
    name: 'write-line',
    text: SAVE_QUEUE,
    values: [
      poolId,
      left,
      lastNumber,
      written.map((place) => place.leaseId),
      written.map((place) => place.number),
      written.map((place) => place.holder),
      written.map((place) => place.seats),
      written.map((place) => place.controlRoom ?? null),
      written.map((place) => place.identity ?? null),
      written.map((place) => place.requestedBy),
      written.map((place) => place.expiresAtMs),
    ],
  });
}
