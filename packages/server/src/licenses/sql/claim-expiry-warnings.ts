import type { Pool } from 'pg';
import type { ExpectedEpoch, InEpoch } from '../../epochs/store';
import { inEpoch } from '../../platform/postgres/transaction';
import type { ExpiryWarning } from '../store';

/** Each step is claimed by one server only, which logs the warning. */
const CLAIM = `
with due as (
  select id, case
    when valid_until <= clock_timestamp() then 0
    when valid_until <= clock_timestamp() + interval '7 days' then 7
    when valid_until <= clock_timestamp() + interval '30 days' then 30
  end as days
  from license
)
update license set expiry_told_days = due.days from due
where license.id = due.id and due.days is not null and license.expiry_told_days is distinct from due.days
returning license.id as "licenseId", customer, valid_until as "validUntil", due.days`;

export async function claimExpiryWarnings(
  pool: Pool,
  expected: ExpectedEpoch,
): Promise<InEpoch<readonly ExpiryWarning[]>> {
  return inEpoch(pool, expected, '', async (client) => {
    const { rows } = await client.query<Omit<ExpiryWarning, 'validUntil'> & { validUntil: Date }>(CLAIM);
    return rows.map((row) => ({ ...row, validUntil: row.validUntil.toISOString() }));
  });
}
