import type { Pool } from 'pg';
import type { Entitlement, EntitlementName } from '../core/entitlement';
import { withConnection } from './connection';
import { milliseconds } from './rows';

const FIND_ENTITLEMENTS = `
select pool.id as "poolId", license_id as "licenseId", license.version as issue, license.kind,
  license.control_room as "controlRoom", license.servers, pool.product, pool.feature, pool.seats, pool.overdraft,
  pool.lease_ttl_seconds * 1000::bigint as "leaseTtlMs", pool.borrow_seconds_max as "borrowSecondsMax",
  pool.on_disconnect as "onDisconnect", ${milliseconds('license.valid_from')} as "validFromMs",
  ${milliseconds('license.valid_until')} as "validUntilMs", license.grace_seconds as "graceSeconds",
  license.suspend_after_seconds as "suspendAfterSeconds"
from pool join license on license.id = pool.license_id
where pool.product = $1 and pool.feature = $2 and ($3::text is null or pool.license_id = $3)
order by pool.license_id`;

type EntitlementRow = Omit<Entitlement, 'controlRoom' | 'policy'> &
  Entitlement['policy'] & { readonly controlRoom: string | null };

/** Every license's entitlement of that name, in the order of the license ids. */
export async function findEntitlements(
  database: Pool,
  { product, feature, licenseId }: EntitlementName,
): Promise<readonly Entitlement[]> {
  const result = await withConnection(database, (client) =>
    client.query<EntitlementRow>({
      name: 'find-entitlements',
      text: FIND_ENTITLEMENTS,
      values: [product, feature, licenseId ?? null],
    }),
  );
  return result.rows.map(({ controlRoom, graceSeconds, suspendAfterSeconds, ...row }) => ({
    ...row,
    controlRoom: controlRoom ?? undefined,
    policy: { graceSeconds, suspendAfterSeconds },
  }));
}
