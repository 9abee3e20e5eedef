import type { Pool } from 'pg';
import type { ExpectedEpoch, InEpoch } from '../../epochs/store';
import { inEpoch } from '../../platform/postgres/transaction';
import type { Registration, RegistrationVerdict } from '../store';

const REGISTER = `
select r.verdict, r.license as "licenseId", r.token_name as "tokenName", l.grace_seconds as "graceSeconds"
from evergrant_register_control_room($1, decode($2, 'hex'), $3, $4, decode($5, 'hex')) r
left join license l on l.id = r.license`;

export function registerControlRoom(
  database: Pool,
  { controlRoom, licenseKeySha256, name, group, tokenSha256 }: Registration,
  expected: ExpectedEpoch,
): Promise<InEpoch<RegistrationVerdict>> {
  return inEpoch(database, expected, '', async (client) => {
    const found = await client.query(REGISTER, [controlRoom, licenseKeySha256, name, group ?? null, tokenSha256]);
    const { verdict: kind, ...rest } = found.rows[0] as { verdict: RegistrationVerdict['kind'] };
    return { kind, ...rest } as RegistrationVerdict;
  });
}
