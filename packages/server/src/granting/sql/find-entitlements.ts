import type { Pool } from 'pg';
import { withConnection } from '../../platform/postgres/connection';
import type { EntitlementName } from '../core/entitlement';
import type { ReadEntitlement } from '../store';
import { milliseconds } from './rows';

const FIND_ENTITLEMENTS = `
select pool.id as "poolId", license_id as "licenseId", license.version as issue, license.kind,
  license.control_room as "controlRoom", license.servers, pool.product, pool.feature, pool.seats, pool.overdraft,
  pool.lease_ttl_seconds * 1000::bigint as "leaseTtlMs", pool.borrow_seconds_max as "borrowSecondsMax",
  pool.on_disconnect as "onDisconnect", ${milliseconds('license.valid_from')} as "validFromMs",
  ${milliseconds('license.valid_until')} as "validUntilMs", license.grace_seconds as "graceSeconds",
  license.suspend_after_seconds as "suspendAfterSeconds",
  encode(license.license_key_sha256, 'hex') as "licenseKeySha256", license.file
from pool join license on license.id = pool.license_id
where pool.product = $1 and pool.feature = $2
  and case when $3::text is null then pool.seats + pool.overdraft > 0 else pool.license_id = $3 end
order by pool.license_id`;

interface EntitlementRow
  extends Omit<ReadEntitlement, 'controlRoom' | 'policy' | 'licenseKeySha256' | 'file'>,
    Readonly<ReadEntitlement['policy']> {
  readonly controlRoom: string | null;
  readonly licenseKeySha256: string | null;
  readonly file: string | null;
}

/**
 * Finds every license's entitlement of that name, in the order of the license ids. Without a license id, withdrawn
 * entitlements are skipped.
 */
export async function findEntitlements(
  database: Pool,
  { product, feature, licenseId }: EntitlementName,
): Promise<readonly ReadEntitlement[]> {
  const result = await withConnection(database, (client) =>
    client.query<EntitlementRow>({
      name: 'find-entitlements',
      text: FIND_ENTITLEMENTS,
      values: [product, feature, licenseId ?? null],
    }),
  );
  return result.rows.map(({ controlRoom, licenseKeySha256, file, graceSeconds, suspendAfterSeconds, ...row }) => ({
    ...row,
    controlRoom: controlRoom ?? undefined,
    licenseKeySha256: licenseKeySha256 ?? undefined,
    file: file ?? undefined,
    policy: { graceSeconds, suspendAfterSeconds },
  }));
}
