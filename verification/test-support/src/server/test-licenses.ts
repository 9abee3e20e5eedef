import type { LicenseDocument } from '@evergrant/formats/license/document';
import { withDefaults } from '@evergrant/formats/license/with-defaults';
import { importLicense } from '@evergrant/server/licenses/sql/import-license';
import type { Client } from 'pg';
import { createVendor, type Vendor } from '../vendor';

/**
 * What a test says of a license; all else has the defaults of packages/formats/src/license/with-defaults.ts, and
 * validity of a lifetime.
 */
export interface LicenseDraft {
  readonly licenseId: string;
  readonly customer: string;
  readonly product: string;
  /** @default 1 */
  readonly issue?: number;
  /** @default cloud */
  readonly kind?: 'cloud' | 'guid' | 'redundant';
  /** A GUID that Control Rooms register with. */
  readonly licenseKey?: string;
  readonly controlRoom?: string;
  readonly servers?: readonly string[];
  readonly validFrom?: string;
  readonly validUntil?: string;
  readonly policy?: { readonly graceSeconds?: number; readonly suspendAfterSeconds?: number };
  readonly entitlements: readonly {
    readonly feature: string;
    readonly seats: number;
    readonly overdraft?: number;
    readonly escrow?: number;
    readonly leaseTtlSeconds?: number;
    readonly borrowSecondsMax?: number;
    readonly onDisconnect?: 'keep' | 'release';
    readonly reservations?: readonly { controlRoom?: string; group?: string; seats: number }[];
  }[];
}

const LIFETIME = { validFrom: '2020-01-01T00:00:00Z', validUntil: '2099-01-01T00:00:00Z' };
let vendor: Promise<Vendor> | undefined;

/** The vendor whose root the servers of the tests trust. */
export function testVendor(): Promise<Vendor> {
  vendor ??= createVendor(LIFETIME);
  return vendor;
}

/** The armored file. */
export async function signForTest(license: LicenseDraft): Promise<string> {
  return (await testVendor()).issue(documentForTest(license));
}

/** Signs the license and imports it, with the product's own code. */
export async function importForTest(client: Client, license: LicenseDraft): Promise<void> {
  const document = documentForTest(license);
  const file = await (await testVendor()).issue(document);
  const outcome = await importLicense(client, { document, file, importedBy: 'the test' });
  if (outcome.outcome !== 'imported') throw new Error(JSON.stringify(outcome));
}

/** As it is signed. */
export function documentForTest(license: LicenseDraft): LicenseDocument {
  const read = withDefaults({ kind: 'cloud', ...LIFETIME, ...license });
  if (read.kind === 'invalid') throw new Error(JSON.stringify(read.errors));
  return read.value;
}
