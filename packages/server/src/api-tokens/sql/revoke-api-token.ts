import type { Pool } from 'pg';
import type { Change } from '../../control-rooms/ports';
import type { ExpectedEpoch, InEpoch } from '../../epochs/store';
import { inEpoch } from '../../platform/postgres/transaction';

type RevocationVerdict = { readonly kind: 'revoked' | 'already_revoked' | 'api_token_not_found' | 'last_admin_token' };

export function revokeApiToken(
  database: Pool,
  name: string,
  { actor, reason }: Change,
  expected: ExpectedEpoch,
): Promise<InEpoch<RevocationVerdict>> {
  return inEpoch(database, expected, '', async (client) => {
    const revoked = await client.query<RevocationVerdict>(
      'select verdict as kind from evergrant_revoke_api_token($1, $2, $3)',
      [name, actor, reason ?? null],
    );
    return revoked.rows[0] as RevocationVerdict;
  });
}
