import type { Pool } from 'pg';
import { milliseconds } from '../../granting/sql/rows';
import { withConnection } from '../../platform/postgres/connection';
import { batchInEpoch } from '../../platform/postgres/transaction';
import type { LicenseStore } from '../store';
import { claimExpiryWarnings } from './claim-expiry-warnings';
import { announceImport, importLicense } from './import-license';
import { readLicenses } from './read-licenses';

export function licenseStoreOn(pool: Pool): LicenseStore {
  return {
    announce: (license, expected) =>
      batchInEpoch(pool, { expected, opening: [] }, ({ client }, _opened, epoch) =>
        announceImport(client, license, epoch),
      ),
    // A renewal that read the earlier terms commits before them, so a follower that has the import has that renewal too.
    import: (license, expected) =>
      batchInEpoch(pool, { expected, opening: [], exclusive: true }, ({ client }) => importLicense(client, license)),
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
