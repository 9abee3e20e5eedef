import type { Pool } from 'pg';
import { withConnection } from '../../platform/postgres/connection';
import type { ControlRoomFilter, ControlRoomView } from '../store';

const READ_CONTROL_ROOMS = `
select r.id as "controlRoom", r.license_id as "licenseId", r.name, r.group_name as "group", r.state,
  r.state_since as "stateSince", r.state_because as "stateBecause", r.registered_at as "registeredAt",
  r.last_heartbeat_at as "lastHeartbeatAt",
  case when r.recoverable_until > clock_timestamp() then r.recoverable_until end as "recoverableUntil",
  coalesce((
    select json_agg(json_build_object('product', p.product, 'feature', p.feature, 'seatsTaken', u.seats_taken)
                    order by p.product, p.feature)
    from control_room_use u join pool p on p.id = u.pool_id
    where u.control_room = r.id and u.seats_taken > 0
  ), '[]') as use
from control_room r
where ($1::uuid is null or r.id = $1)
  and ($2::text is null or r.license_id = $2)
  and ($3::text is null or r.state = $3)
  and ($4::text is null or r.group_name = $4)
  and ($5::uuid is null or r.id > $5)
order by r.id
limit $6`;

type Row = Omit<ControlRoomView, 'stateSince' | 'registeredAt' | 'lastHeartbeatAt' | 'recoverableUntil'> & {
  stateSince: Date;
  registeredAt: Date;
  lastHeartbeatAt: Date;
  recoverableUntil: Date | null;
};

/** Returns Control Rooms sorted by id, each with the seats it has taken. */
export async function readControlRooms(database: Pool, filter: ControlRoomFilter): Promise<ControlRoomView[]> {
  const { controlRoom, licenseId, state, group, after, limit } = filter;
  const values = [controlRoom, licenseId, state, group, after].map((value) => value ?? null);
  const result = await withConnection(database, (client) =>
    client.query<Row>({ name: 'read-control-rooms', text: READ_CONTROL_ROOMS, values: [...values, limit] }),
  );
  return result.rows.map((row) => ({
    ...row,
    stateSince: row.stateSince.toISOString(),
    registeredAt: row.registeredAt.toISOString(),
    lastHeartbeatAt: row.lastHeartbeatAt.toISOString(),
    recoverableUntil: row.recoverableUntil?.toISOString() ?? null,
  }));
}
