import type { Pool } from 'pg';
import type { Change, NewApiToken } from '../../control-rooms/ports';
import type { ExpectedEpoch, InEpoch } from '../../epochs/store';
import { inEpoch } from '../../platform/postgres/transaction';

type CreationVerdict = {
  readonly kind: 'created' | 'known' | 'api_token_exists' | 'token_in_use' | 'control_room_not_found';
};

const CREATE = `
select verdict as kind from evergrant_create_api_token($1, decode($2, 'hex'), $3, $4, $5, $6)`;

export function createApiToken(
  database: Pool,
  { name, tokenSha256, scopes, expiresAt, controlRoom }: NewApiToken,
  { actor }: Change,
  expected: ExpectedEpoch,
): Promise<InEpoch<CreationVerdict>> {
  const values = [name, tokenSha256, [...scopes].sort(), expiresAt ?? 'infinity', controlRoom ?? null, actor];
  return inEpoch(database, expected, '', async (client) => {
    const created = await client.query<CreationVerdict>(CREATE, values);
    return created.rows[0] as CreationVerdict;
  });
}
