import type { Pool } from 'pg';
import type { ExpectedEpoch, InEpoch } from '../../epochs/store';
import { inEpoch } from '../../platform/postgres/transaction';
import type { Change, Recovery, RecoveryVerdict } from '../ports';

const RECOVER = `
select verdict, recoverable_until as "recoverableUntil", tokens_revoked as "tokensRevoked"
from evergrant_recover_control_room($1, $2, $3, $4)`;

/** Ends the tokens of a Control Room that was destroyed, and lets its GUID register once more. */
export function recoverControlRoom(
  database: Pool,
  { controlRoom, openForSeconds }: Recovery,
  { actor, reason }: Change,
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
