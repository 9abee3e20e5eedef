import type { Pool } from 'pg';
import { withConnection } from '../../platform/postgres/connection';
import type { EntitlementView, LicenseView } from '../store';

const READ_LICENSES = `
select id as "licenseId", version as issue, customer, product, kind, control_room as "controlRoom", servers,
  case when isfinite(valid_from) then valid_from end as "validFrom",
  case when isfinite(valid_until) then valid_until end as "validUntil",
  case when clock_timestamp() < valid_from then 'not_yet_valid'
       when clock_timestamp() < valid_until then 'valid' else 'expired' end as validity,
  case when isfinite(valid_until)
    then extract(epoch from valid_until - clock_timestamp())::float8 end as "validSeconds",
  grace_seconds as "graceSeconds", suspend_after_seconds as "suspendAfterSeconds",
  license_key_sha256 is not null as "hasLicenseKey", imported_at as "importedAt", imported_by as "importedBy",
  coalesce((
    select jsonb_agg(jsonb_build_object('feature', feature, 'seats', seats, 'overdraft', overdraft, 'escrow', escrow,
      'leaseTtlSeconds', lease_ttl_seconds, 'borrowSecondsMax', borrow_seconds_max, 'onDisconnect', on_disconnect)
      order by feature)
    from pool where pool.license_id = license.id and pool.product = license.product), '[]') as entitlements
from license
where $1::text is null or id = $1
order by id`;

interface LicenseRow
  extends Omit<LicenseView, 'validFrom' | 'validUntil' | 'importedAt' | 'policy'>,
    Readonly<LicenseView['policy']> {
  readonly validFrom: Date | null;
  readonly validUntil: Date | null;
  readonly importedAt: Date | null;
  readonly entitlements: readonly EntitlementView[];
}

/** Returns one license, or all sorted by id. The database holds only the hash of a license key. */
export async function readLicenses(pool: Pool, licenseId?: string): Promise<readonly LicenseView[]> {
  const result = await withConnection(pool, (client) =>
    client.query<LicenseRow>({ name: 'read-licenses', text: READ_LICENSES, values: [licenseId ?? null] }),
  );
  return result.rows.map(({ validFrom, validUntil, importedAt, graceSeconds, suspendAfterSeconds, ...row }) => ({
    ...row,
    validFrom: validFrom?.toISOString() ?? null,
    validUntil: validUntil?.toISOString() ?? null,
    importedAt: importedAt?.toISOString() ?? null,
    policy: { graceSeconds, suspendAfterSeconds },
  }));
}
