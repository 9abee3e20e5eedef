import type { Pool } from 'pg';
import type { Attribution } from '../../audit/attribution';
import type { ExpectedEpoch, InEpoch } from '../../epochs/store';
import { inEpoch } from '../../platform/postgres/transaction';
import type { ApiTokenCreation, NewApiToken } from '../store';

const CREATE = `
select verdict as kind from evergrant_create_api_token($1, decode($2, 'hex'), $3, $4, $5, $6)`;

export function createApiToken(
  database: Pool,
  { name, tokenSha256, scopes, expiresAt, controlRoom }: NewApiToken,
  { actor }: Attribution,
  expected: ExpectedEpoch,
): Promise<InEpoch<ApiTokenCreation>> {
  const values = [name, tokenSha256, [...scopes].sort(), expiresAt ?? 'infinity', controlRoom ?? null, actor];
  return inEpoch(database, expected, '', async (client) => {
    const created = await client.query<ApiTokenCreation>(CREATE, values);
    return created.rows[0] as ApiTokenCreation;
  });
}
