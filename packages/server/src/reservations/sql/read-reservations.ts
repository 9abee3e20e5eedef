import type { Pool } from 'pg';
import { withConnection } from '../../platform/postgres/connection';
import type { ReservationView } from '../store';

const READ_RESERVATIONS = `
select pool.license_id as "licenseId", pool.product, pool.feature, r.control_room as "controlRoom",
  r.group_name as "group", r.seats, r.source
from reservation r join pool on pool.id = r.pool_id
where $1::text is null or pool.license_id = $1
order by pool.license_id, pool.product, pool.feature, r.control_room, r.group_name`;

export async function readReservations(database: Pool, licenseId: string | undefined): Promise<ReservationView[]> {
  const found = await withConnection(database, (client) =>
    client.query<ReservationView>(READ_RESERVATIONS, [licenseId ?? null]),
  );
  return found.rows;
}
