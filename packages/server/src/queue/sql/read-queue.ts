import type { Pool } from 'pg';
import { withConnection } from '../../platform/postgres/connection';
import type { PlaceFilter, PlaceView } from '../store';

const READ_QUEUE = `
select place.lease_id as "leaseId", pool.license_id as "licenseId", pool.product, pool.feature,
  row_number() over (partition by place.pool_id order by place.number, place.lease_id) as position, place.seats,
  place.holder, place.control_room as "controlRoom", place.identity, place.requested_by as "requestedBy",
  place.enqueued_at as "enqueuedAt", place.expires_at as "expiresAt"
from queue_place place join pool on pool.id = place.pool_id
where place.expires_at > clock_timestamp() and ($1::text is null or pool.license_id = $1)
  and ($2::text is null or pool.product = $2) and ($3::text is null or pool.feature = $3)
order by pool.license_id, pool.product, pool.feature, place.number, place.lease_id
limit $4`;

type PlaceRow = Omit<PlaceView, 'enqueuedAt' | 'expiresAt'> & { readonly enqueuedAt: Date; readonly expiresAt: Date };

/** The queues of all pools, each in its order. */
export async function readQueue(database: Pool, filter: PlaceFilter): Promise<PlaceView[]> {
  const { licenseId, product, feature, limit } = filter;
  const result = await withConnection(database, (client) =>
    client.query<PlaceRow>(READ_QUEUE, [licenseId, product, feature, limit]),
  );
  return result.rows.map((row) => ({
    ...row,
    enqueuedAt: row.enqueuedAt.toISOString(),
    expiresAt: row.expiresAt.toISOString(),
  }));
}
