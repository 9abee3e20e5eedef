import type { Pool } from 'pg';
import { withConnection } from '../../platform/postgres/connection';
import type { ApiTokenFilter, ApiTokenView } from '../store';

const READ_API_TOKENS = `
select name, scopes, control_room as "controlRoom", created_at as "createdAt", created_by as "createdBy",
  case when isfinite(expires_at) then expires_at end as "expiresAt",
  revoked_at as "revokedAt", revoked_by as "revokedBy", revoked_because as "revokedBecause"
from api_token
where ($1::uuid is null or control_room = $1) and ($2::text is null or name > $2 collate "C")
order by name collate "C"
limit $3`;

type Row = Omit<ApiTokenView, 'createdAt' | 'expiresAt' | 'revokedAt'> & {
  createdAt: Date;
  expiresAt: Date | null;
  revokedAt: Date | null;
};

/** Returns tokens sorted by name. The hash of a token never leaves the database. */
export async function readApiTokens(database: Pool, filter: ApiTokenFilter): Promise<ApiTokenView[]> {
  const { controlRoom, after, limit } = filter;
  const result = await withConnection(database, (client) =>
    client.query<Row>(READ_API_TOKENS, [controlRoom ?? null, after ?? null, limit]),
  );
  return result.rows.map((row) => ({
    ...row,
    createdAt: row.createdAt.toISOString(),
    expiresAt: row.expiresAt?.toISOString() ?? null,
    revokedAt: row.revokedAt?.toISOString() ?? null,
  }));
}
