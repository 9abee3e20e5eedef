import type { Pool } from 'pg';
import type { Attribution } from '../../audit/attribution';
import type { ExpectedEpoch, InEpoch } from '../../epochs/store';
import { inEpoch } from '../../platform/postgres/transaction';
import type { ApiTokenRevocation } from '../store';

export function revokeApiToken(
  database: Pool,
  name: string,
  { actor, reason }: Attribution,
  expected: ExpectedEpoch,
): Promise<InEpoch<ApiTokenRevocation>> {
  return inEpoch(database, expected, '', async (client) => {
    const revoked = await client.query<ApiTokenRevocation>(
      'select verdict as kind from evergrant_revoke_api_token($1, $2, $3)',
      [name, actor, reason ?? null],
    );
    return revoked.rows[0] as ApiTokenRevocation;
  });
}
