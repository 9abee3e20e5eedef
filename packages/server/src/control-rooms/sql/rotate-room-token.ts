import type { Pool } from 'pg';
import type { Attribution } from '../../audit/attribution';
import type { ExpectedEpoch, InEpoch } from '../../epochs/store';
import { inEpoch } from '../../platform/postgres/transaction';
import type { Rotation, RotationVerdict } from '../store';

const ROTATE = `
select verdict as kind, token_name as "tokenName"
from evergrant_rotate_room_token($1, decode($2, 'hex'), decode($3, 'hex'), $4, $5)`;

export function rotateRoomToken(
  database: Pool,
  { controlRoom, licenseKeySha256, tokenSha256, retireOthersAfterSeconds }: Rotation,
  { actor }: Attribution,
  expected: ExpectedEpoch,
): Promise<InEpoch<RotationVerdict>> {
  const values = [controlRoom, licenseKeySha256, tokenSha256, retireOthersAfterSeconds ?? null, actor];
  return inEpoch(database, expected, '', async (client) => {
    const found = await client.query<RotationVerdict>(ROTATE, values);
    return found.rows[0] as RotationVerdict;
  });
}
