import { certify } from '@evergrant/formats/license/certificate';
import type { LicenseDocument } from '@evergrant/formats/license/document';
import { type Issue, issueLicense } from '@evergrant/formats/license/issue';
import { generateKey, type PrivateKey, publicPart } from '@evergrant/formats/license/keys';
import type { Trust } from '@evergrant/formats/license/trust';
import { withDefaults } from '@evergrant/formats/license/with-defaults';

export const NOW_MS = Date.parse('2026-06-01T12:00:00Z');
export const GUID = '1c9f9d4e-6c5a-4a52-8a3d-1f6a1b7c2d3e';
export const LICENSE_KEY = '8d5f3c1e-2b7a-4f60-9c1d-0e4a6b8c2d1f';

export const DRAFT = {
  licenseId: 'lic-1',
  issue: 4,
  customer: 'Acme',
  product: 'Assembler',
  kind: 'cloud',
  validFrom: '2026-01-01T00:00:00Z',
  validUntil: '2027-01-01T00:00:00Z',
  entitlements: [{ feature: 'studio', seats: 25 }],
};

export function documentOf(draft: object): LicenseDocument {
  const read = withDefaults(draft);
  if (read.kind === 'invalid') throw new Error(JSON.stringify(read.errors));
  return read.value;
}

/** A vendor with everything a vendor has, and a customer's deployment. */
export interface Vendor {
  readonly root: PrivateKey;
  readonly key: PrivateKey;
  readonly certificate: string;
  readonly deployment: PrivateKey;
  readonly trust: Trust;
  issue(document: LicenseDocument, how?: Partial<Issue>): Promise<string>;
}

const VALIDITY = { validFrom: '2026-01-01T00:00:00Z', validUntil: '2027-01-01T00:00:00Z' };

/** @param validity of the certificate of its key */
export async function createVendor(validity = VALIDITY): Promise<Vendor> {
  const [root, key, deployment] = [
    await generateKey('root'),
    await generateKey('vendor'),
    await generateKey('deployment'),
  ];
  const certificate = await certify({ root, key: publicPart(key), ...validity });
  return {
    root,
    key,
    certificate,
    deployment,
    trust: { roots: [publicPart(root)], withdrawnKeys: [], keygenPublicKeys: [] },
    issue: async (document, how = {}) => {
      const issued = await issueLicense({ document, key, certificate, ...how });
      if (issued.kind === 'refused') throw new Error(issued.detail);
      return issued.file;
    },
  };
}
