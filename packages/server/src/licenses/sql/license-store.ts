import type { Pool } from 'pg';
import { milliseconds } from '../../granting/sql/rows';
import { withConnection } from '../../platform/postgres/connection';
import { inEpoch } from '../../platform/postgres/transaction';
import type { LicenseStore } from '../store';
import { claimExpiryWarnings } from './claim-expiry-warnings';
import { importLicense } from './import-license';
import { readLicenses } from './read-licenses';

export function licenseStoreOn(pool: Pool): LicenseStore {
  return {
    import: (license, expected) => inEpoch(pool, expected, '', (client) => importLicense(client, license)),
    read: (licenseId) => readLicenses(pool, licenseId),
    claimExpiryWarnings: (expected) => claimExpiryWarnings(pool, expected),
    nowMs: () => databaseTime(pool),
  };
}

async function databaseTime(pool: Pool): Promise<number> {
  const { rows } = await withConnection(pool, (client) =>
    client.query<{ nowMs: number }>(`select ${milliseconds('clock_timestamp()')} as "nowMs"`),
  );
  return rows[0]?.nowMs ?? Number.NaN;
}
