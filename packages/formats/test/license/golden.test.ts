import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readCertificateFile } from '../../src/license/certificate';
import { issueLicense } from '../../src/license/issue';
import { readPrivateKey, readPublicKey } from '../../src/license/keys';
import { verifyLicense } from '../../src/license/verify';

/** Files that another implementation created (fixtures/make.py). Every later release must read issued files. */
const read = (name: string): string => readFileSync(join(__dirname, 'fixtures', name), 'utf8');
const keys = JSON.parse(read('keys.json'));
const documents = JSON.parse(read('documents.json'));
const context = {
  trust: { roots: [keys.root], withdrawnKeys: [], keygenPublicKeys: [keys.keygenPublicKey] },
  nowMs: Date.parse('2026-06-01T00:00:00Z'),
  deploymentKeys: [keys.deployment],
};

it.each(['cloud', 'guid', 'redundant'])('reads the license of kind %s', async (kind) => {
  const verdict = await verifyLicense(read(`${kind}.license`), context);
  expect(verdict).toMatchObject({ kind: 'valid', document: documents[kind] });
  expect(verdict).toHaveProperty('file', read(`${kind}.license`));
});

it('decrypts a file that is encrypted to the deployment', async () => {
  const verdict = await verifyLicense(read('cloud-to-deployment.license'), context);
  expect(verdict).toMatchObject({ kind: 'valid', document: documents.cloud });
});

it('decrypts a file that is encrypted with the license key', async () => {
  const verdict = await verifyLicense(read('cloud-with-license-key.license'), {
    ...context,
    licenseKey: keys.licenseKey,
  });
  expect(verdict).toMatchObject({ kind: 'valid', document: documents.cloud });
});

it.each(['keygen-plain.lic', 'keygen-encrypted.lic'])('converts the license of %s', async (name) => {
  const verdict = await verifyLicense(read(name), { ...context, licenseKey: keys.keygenLicenseKey });
  expect(verdict).toMatchObject({
    kind: 'valid',
    document: {
      licenseId: '7c3f0d5e-9a1b-4c2d-8e3f-405162738495',
      issue: Date.parse('2026-03-01T10:00:00Z') / 1000,
      customer: 'Ada Example',
      product: 'Assembler',
      kind: 'cloud',
      validFrom: '2026-03-01T10:00:00.000Z',
      validUntil: '2027-03-01T10:00:00.000Z',
      entitlements: [
        { feature: 'RUNNER', seats: 20, overdraft: 5, leaseTtlSeconds: 900 },
        { feature: 'STUDIO', seats: 20, overdraft: 5, leaseTtlSeconds: 900 },
      ],
    },
    dropped: [
      'a limit of users (maxUsers: 7)',
      'a limit of CPU cores (maxCores: 64)',
      'metadata (region)',
      'the included groups',
    ],
  });
});

it('produces the same signatures as the other implementation', async () => {
  const certificate = readCertificateFile(read('vendor.certificate'));
  if (certificate.kind === 'refused') throw new Error(certificate.detail);
  const issued = await issueLicense({
    document: documents.cloud,
    key: keys.vendor,
    certificate: certificate.certificate,
  });
  expect(issued).toEqual({ kind: 'issued', file: read('cloud.license') });
});

it('reads the keys of the other implementation', async () => {
  expect((await readPublicKey(keys.root, 'root')).kind).toBe('read');
  expect((await readPrivateKey(keys.vendor, 'vendor')).kind).toBe('read');
  expect((await readPrivateKey(keys.deployment, 'deployment')).kind).toBe('read');
});
