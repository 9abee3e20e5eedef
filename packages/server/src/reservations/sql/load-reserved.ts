import type { PoolClient } from 'pg';
import type { Reserved } from '../../granting/core/pool-ledger';
import type { Reservation, RoomUse } from '../core/reservations';

/** Read under the pool's row lock, in one round trip. Null fields are left out. */
const LOAD_RESERVED = `
select
  (select json_agg(json_strip_nulls(json_build_object('controlRoom', control_room, 'group', group_name, 'seats', seats)))
   from reservation where pool_id = $1) as reservations,
  (select json_agg(json_strip_nulls(
     json_build_object('controlRoom', used.control_room, 'group', room.group_name, 'seats', used.seats_taken)))
   from control_room_use used left join control_room room on room.id = used.control_room
   where used.pool_id = $1 and used.seats_taken > 0 and exists (
     select from reservation r
     where r.pool_id = $1 and (r.control_room = used.control_room or r.group_name = room.group_name))) as uses,
  (select json_object_agg(id, group_name) from control_room where id = any($2::uuid[]) and group_name is not null)
    as groups`;

interface ReservedRow {
  readonly reservations: readonly Reservation[] | null;
  readonly uses: readonly RoomUse[] | null;
  readonly groups: Readonly<Record<string, string>> | null;
}

interface Requester {
  readonly controlRoom: string | undefined;
  readonly claim?: { readonly controlRoom: string | undefined };
}

/** Loads the reservations of a pool, their use, and the groups of the requesting Control Rooms. */
export async function loadReserved(
  client: PoolClient,
  poolId: number,
  requesters: readonly Requester[],
): Promise<Reserved> {
  const rooms = requesters.flatMap(({ controlRoom, claim }) => [controlRoom ?? [], claim?.controlRoom ?? []].flat());
  const found = await client.query<ReservedRow>({
    name: 'load-reserved',
    text: LOAD_RESERVED,
    values: [poolId, [...new Set(rooms)]],
  });
  const { reservations, uses, groups } = found.rows[0] ?? { reservations: null, uses: null, groups: null };
  return { reservations: reservations ?? [], uses: uses ?? [], groups: new Map(Object.entries(groups ?? {})) };
}
