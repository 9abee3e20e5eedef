import type { Pool } from 'pg';
import { withConnection } from '../../platform/postgres/connection';
import type { LeaseFilter, LeaseView } from '../store';

const READ_LEASES = `
select lease.id as "leaseId", pool.license_id as "licenseId", product, feature, holder, control_room as "controlRoom",
  identity, lease.seats, lease.overdraft, borrowed, seq, epoch, state, granted_at as "grantedAt", granted_by as "grantedBy", expires_at as "expiresAt",
  ended_at as "endedAt", ended_by as "endedBy", ended_because as "endedBecause",
  adopted_from_epoch as "adoptedFromEpoch"
from lease join pool on pool.id = lease.pool_id
where ($1::uuid is null or lease.id = $1) and ($2::text is null or product = $2) and ($3::text is null or feature = $3)
  and ($4::text is null or holder = $4) and ($5::text is null or state = $5) and ($6::uuid is null or lease.id > $6)
  and ($8::text is null or pool.license_id = $8) and ($9::uuid is null or lease.control_room = $9)
order by lease.id
limit $7`;

/** Reads leases in the order of their ids, so that the last id is the cursor of the next page. */
export async function readLeases(database: Pool, filter: LeaseFilter): Promise<LeaseView[]> {
  const { leaseId, product, feature, holder, state, after, limit, licenseId, controlRoom } = filter;
  const result = await withConnection(database, (client) =>
    client.query<
      Omit<LeaseView, 'grantedAt' | 'expiresAt' | 'endedAt'> &
        Record<'grantedAt' | 'expiresAt', Date> & { endedAt: Date | null }
    >(READ_LEASES, [leaseId, product, feature, holder, state, after, limit, licenseId, controlRoom]),
  );
  return result.rows.map((row) => ({
    ...row,
    grantedAt: row.grantedAt.toISOString(),
    expiresAt: row.expiresAt.toISOString(),
    endedAt: row.endedAt?.toISOString() ?? null,
  }));
}
