import type { Pool } from 'pg';
import { isScope } from '../core/access';
import type { ApiToken } from '../ports';
import { withConnection } from './connection';

/** All API tokens, by the SHA-256 of the token in hex. */
export async function readApiTokens(database: Pool): Promise<Map<string, ApiToken>> {
  const result = await withConnection(database, (client) =>
    client.query<{ name: string; sha256: string; scopes: string[] }>(
      `select name, encode(token_sha256, 'hex') as sha256, scopes from api_token`,
    ),
  );
  return new Map(result.rows.map((row) => [row.sha256, { name: row.name, scopes: row.scopes.filter(isScope) }]));
}
