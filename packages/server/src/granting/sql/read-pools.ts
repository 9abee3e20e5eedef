import type { Pool } from 'pg';
import { withConnection } from '../../platform/postgres/connection';
import type { PoolView } from '../store';

const READ_POOLS = `
select license_id as "licenseId", customer, pool.product, feature, seats, overdraft,
  seats_taken - seats_over as "seatsTaken", seats_held_back as "seatsHeldBack",
  greatest(0, seats + overdraft - seats_taken - seats_held_back) as "seatsFree",
  (select coalesce(sum(reservation.seats), 0) from reservation where pool_id = pool.id) as "seatsReserved", seats_over as "seatsCountedTwice",
  awaited_until as "heldBackUntil",
  (select count(*) from lease where pool_id = pool.id and state = 'live') as leases,
  (select count(*) from queue_place where pool_id = pool.id and expires_at > clock_timestamp()) as "queueLength",
  grant_seq as "grantSeq", escrow, lease_ttl_seconds as "leaseTtlSeconds"
from pool join license on license.id = pool.license_id
order by pool.product, feature`;

/** Reads all pools with their counts at one moment. */
export async function readPools(database: Pool): Promise<PoolView[]> {
  const result = await withConnection(database, (client) =>
    client.query<Omit<PoolView, 'heldBackUntil'> & { heldBackUntil: Date | null }>({
      name: 'read-pools',
      text: READ_POOLS,
    }),
  );
  return result.rows.map((row) => ({ ...row, heldBackUntil: row.heldBackUntil?.toISOString() ?? null }));
}
