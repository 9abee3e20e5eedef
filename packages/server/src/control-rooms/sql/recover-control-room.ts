import type { Pool } from 'pg';
import type { Attribution } from '../../audit/attribution';
import type { ExpectedEpoch, InEpoch } from '../../epochs/store';
import { inEpoch } from '../../platform/postgres/transaction';
import type { Recovery, RecoveryVerdict } from '../store';

const RECOVER = `
select verdict, recoverable_until as "recoverableUntil", tokens_revoked as "tokensRevoked"
from evergrant_recover_control_room($1, $2, $3, $4)`;

/** Revokes the tokens of a destroyed Control Room and accepts one new registration of its GUID. */
export function recoverControlRoom(
  database: Pool,
  { controlRoom, openForSeconds }: Recovery,
  { actor, reason }: Attribution,
  expected: ExpectedEpoch,
): Promise<InEpoch<RecoveryVerdict>> {
  return inEpoch(database, expected, '', async (client) => {
    const found = await client.query<{
      verdict: RecoveryVerdict['kind'];
      recoverableUntil: Date | null;
      tokensRevoked: number;
    }>(RECOVER, [controlRoom, openForSeconds, actor, reason ?? null]);
    const [row] = found.rows;
    if (!row?.recoverableUntil) return { kind: 'control_room_not_found' };
    return { kind: 'opened', recoverableUntil: row.recoverableUntil.toISOString(), tokensRevoked: row.tokensRevoked };
  });
}
