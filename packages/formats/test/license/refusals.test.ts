import { createVendor, DRAFT, documentOf, LICENSE_KEY, NOW_MS, type Vendor } from '@evergrant/test-support/vendor';
import { armor } from '../../src/license/armor';
import { certify } from '../../src/license/certificate';
import { generateKey, publicPart } from '../../src/license/keys';
import { signJson, TYPES } from '../../src/license/signing';
import { type VerificationContext, verifyLicense } from '../../src/license/verify';

let vendor: Vendor;
beforeAll(async () => {
  vendor = await createVendor();
});

const DOCUMENT = documentOf(DRAFT);
const context = (changed: Partial<VerificationContext> = {}): VerificationContext => ({
  trust: vendor.trust,
  nowMs: NOW_MS,
  deploymentKeys: [vendor.deployment],
  ...changed,
});

async function refusal(file: string, changed: Partial<VerificationContext> = {}): Promise<[string, string]> {
  const verdict = await verifyLicense(file, context(changed));
  return verdict.kind === 'refused' ? [verdict.code, verdict.detail] : ['valid', ''];
}

describe('verifyLicense: reports an unreadable file', () => {
  const cases: Record<string, [(file: string) => string, RegExp]> = {
    'when it is empty': [() => '', /is empty/],
    'when it is JSON': [() => '{"licenseId": "lic-1"}', /line 1 is not the start of a license file/],
    'when it is truncated': [(file) => file.slice(0, -40), /truncated/],
    'when it contains text outside of the block': [(file) => `${file}Seats: 1000\n`, /is not the start/],
    'when it contains two licenses': [(file) => file + file, /one license at a time/],
    'when it contains an invalid character': [
      (file) => file.replace('\ney', '\n!ey'),
      /line 2 contains an invalid character/,
    ],
    'when its block is empty': [
      () => '-----BEGIN EVERGRANT LICENSE-----\n-----END EVERGRANT LICENSE-----',
      /block is empty/,
    ],
    'when it is too large': [(file) => file + '\n'.repeat(70_000), /longer than 64 KiB/],
    'when it is a certificate': [() => armor('EVERGRANT CERTIFICATE', vendor.certificate), /contains a certificate/],
  };

  it.each(Object.keys(cases))('%s', async (name) => {
    const [change, why] = cases[name]!;
    const [code, detail] = await refusal(change(await vendor.issue(DOCUMENT)));
    expect([code, detail]).toEqual(['license_unreadable', expect.stringMatching(why)]);
  });

  it('when the signed content is not a license document, with every validation error', async () => {
    const header = { certificate: vendor.certificate };
    const signed = await signJson(
      { ...DOCUMENT, issue: 0, kind: 'site', seats: 7 },
      { key: vendor.key, typ: TYPES.license, header },
    );
    const verdict = await verifyLicense(armor('EVERGRANT LICENSE', signed), context());
    expect(verdict).toMatchObject({
      code: 'license_unreadable',
      errors: expect.arrayContaining([
        { path: 'issue', message: 'must be a whole number from 1 to 2147483647' },
        { path: 'kind', message: 'must be cloud or guid or redundant' },
        { path: 'seats', message: 'is an unknown property' },
      ]),
    });
  });

  it('but accepts other line endings, other line widths and surrounding empty lines', async () => {
    const file = await vendor.issue(DOCUMENT);
    expect(await refusal(`\r\n${file.replaceAll('\n', '\r\n')}\r\n\r\n`)).toEqual(['valid', '']);
    const [first, ...lines] = file.trim().split('\n');
    const body = lines.slice(0, -1).join('');
    expect(await refusal([first, body, lines.at(-1)].join('\n'))).toEqual(['valid', '']);
  });
});

describe('verifyLicense: reports tampering', () => {
  it('when the document was changed but not the signature', async () => {
    const file = await vendor.issue(DOCUMENT);
    const [head = '', , signature = ''] = file.split('\n').slice(1, -2).join('').split('.');
    const richer = { ...DOCUMENT, entitlements: [{ ...DOCUMENT.entitlements[0], seats: 9_999 }] };
    const forged = [head, Buffer.from(JSON.stringify(richer)).toString('base64url'), signature].join('.');
    expect((await refusal(armor('EVERGRANT LICENSE', forged)))[0]).toBe('license_tampered');
  });

  it('when the signature belongs to another type of document', async () => {
    const header = { certificate: vendor.certificate };
    const other = await signJson(DOCUMENT, { key: vendor.key, typ: TYPES.certificate, header });
    expect((await refusal(armor('EVERGRANT LICENSE', other)))[0]).toBe('license_tampered');
  });

  it('when the key in the certificate was replaced', async () => {
    const thief = await generateKey('vendor');
    const [head, , signature] = vendor.certificate.split('.');
    const statement = {
      version: 1,
      key: publicPart(thief),
      validFrom: '2026-01-01T00:00:00Z',
      validUntil: '2030-01-01T00:00:00Z',
    };
    const certificate = [head, Buffer.from(JSON.stringify(statement)).toString('base64url'), signature].join('.');
    const file = await vendor.issue(DOCUMENT, { key: thief, certificate });
    expect(await refusal(file)).toEqual([
      'license_tampered',
      expect.stringContaining('certificate of its signing key'),
    ]);
  });
});

describe('verifyLicense: reports an unknown key', () => {
  it('when an untrusted root certified it, and names both roots', async () => {
    const stranger = await createVendor();
    const [code, detail] = await refusal(await stranger.issue(DOCUMENT));
    expect(code).toBe('license_unknown_key');
    expect(detail).toContain(stranger.root.kid);
    expect(detail).toContain(vendor.root.kid);
  });

  it('when the key is withdrawn although its certificate is valid', async () => {
    const trust = { ...vendor.trust, withdrawnKeys: [vendor.key.kid] };
    expect(await refusal(await vendor.issue(DOCUMENT), { trust })).toEqual([
      'license_unknown_key',
      expect.stringContaining('is withdrawn'),
    ]);
  });

  it('when the key certified itself', async () => {
    const validity = { validFrom: '2026-01-01T00:00:00Z', validUntil: '2030-01-01T00:00:00Z' };
    const certificate = await certify({ root: vendor.key, key: vendor.key, ...validity });
    expect((await refusal(await vendor.issue(DOCUMENT, { certificate })))[0]).toBe('license_unknown_key');
  });
});

it('verifyLicense: accepts files of the old and the new key until the old certificate expires', async () => {
  const next = await generateKey('vendor');
  const validity = { validFrom: '2026-05-01T00:00:00Z', validUntil: '2028-01-01T00:00:00Z' };
  const certificate = await certify({ root: vendor.root, key: publicPart(next), ...validity });
  const long = documentOf({ ...DRAFT, validUntil: '2028-01-01T00:00:00Z' });
  const [old, fresh] = [await vendor.issue(long), await vendor.issue(long, { key: next, certificate })];
  const at = async (file: string, moment: string) => (await refusal(file, { nowMs: Date.parse(moment) }))[0];
  expect([await at(old, '2026-04-01'), await at(fresh, '2026-04-01')]).toEqual(['valid', 'license_key_expired']);
  expect([await at(old, '2026-06-01'), await at(fresh, '2026-06-01')]).toEqual(['valid', 'valid']);
  expect([await at(old, '2027-06-01'), await at(fresh, '2027-06-01')]).toEqual(['license_key_expired', 'valid']);
});

it('verifyLicense: accepts files of both roots while both are trusted', async () => {
  const next = await createVendor();
  const trust = { ...vendor.trust, roots: [...vendor.trust.roots, ...next.trust.roots] };
  expect(await refusal(await vendor.issue(DOCUMENT), { trust })).toEqual(['valid', '']);
  expect(await refusal(await next.issue(DOCUMENT), { trust })).toEqual(['valid', '']);
});

describe('verifyLicense: checks the period of validity', () => {
  it.each([
    ['2025-12-31T23:59:59.999Z', 'license_not_yet_valid'],
    ['2026-01-01T00:00:00Z', 'valid'],
    ['2026-12-31T23:59:59.999Z', 'valid'],
    ['2027-01-01T00:00:00Z', 'license_expired'],
  ])('at %s with the result %s', async (instant, expected) => {
    const certificate = await certify({
      root: vendor.root,
      key: publicPart(vendor.key),
      validFrom: '2020-01-01T00:00:00Z',
      validUntil: '2030-01-01T00:00:00Z',
    });
    const [code] = await refusal(await vendor.issue(DOCUMENT, { certificate }), { nowMs: Date.parse(instant) });
    expect(code).toBe(expected);
  });
});

it('verifyLicense: accepts a redundant license on its three servers only', async () => {
  const servers = ['site/alpha', 'site/beta', 'site/gamma'];
  const file = await vendor.issue(documentOf({ ...DRAFT, kind: 'redundant', servers }));
  expect(await refusal(file, { server: 'site/beta' })).toEqual(['valid', '']);
  expect(await refusal(file, { server: 'site/delta' })).toEqual([
    'license_wrong_server',
    'it is dedicated to site/alpha, site/beta, site/gamma; this server is site/delta',
  ]);
});

describe('verifyLicense: refuses a license for another deployment', () => {
  const toDeployment = () => vendor.issue(DOCUMENT, { encryptTo: { kind: 'deployment', key: vendor.deployment } });
  const withLicenseKey = () => vendor.issue(DOCUMENT, { encryptTo: { kind: 'license_key', licenseKey: LICENSE_KEY } });
  const CODE = 'license_not_for_this_deployment';

  it('when it is encrypted to another deployment', async () => {
    const deploymentKeys = [await generateKey('deployment')];
    expect(await refusal(await toDeployment(), { deploymentKeys })).toEqual([
      CODE,
      expect.stringContaining(vendor.deployment.kid),
    ]);
    expect(await refusal(await toDeployment(), { deploymentKeys: [] })).toEqual([
      CODE,
      expect.stringContaining('none'),
    ]);
  });

  it('when it was extracted from the envelope of another deployment', async () => {
    const verdict = await verifyLicense(await toDeployment(), context());
    const kept = verdict.kind === 'valid' ? verdict.file : '';
    expect(await refusal(kept)).toEqual(['valid', '']);
    expect((await refusal(kept, { deploymentKeys: [await generateKey('deployment')] }))[0]).toBe(CODE);
  });

  it('when the license key is missing or wrong', async () => {
    const file = await withLicenseKey();
    expect(await refusal(file)).toEqual([CODE, expect.stringContaining('was not given')]);
    expect(await refusal(file, { licenseKey: '00000000-0000-4000-8000-000000000000' })).toEqual([
      CODE,
      expect.stringContaining('does not decrypt it'),
    ]);
    expect(await refusal(file, { licenseKey: ` ${LICENSE_KEY.toUpperCase()}\n` })).toEqual(['valid', '']);
  });

  it('and an encrypted file reveals neither customer nor features', async () => {
    for (const file of [await toDeployment(), await withLicenseKey()]) {
      const readable = file
        .split('\n')
        .slice(1, -2)
        .join('')
        .split('.')
        .map((part) => Buffer.from(part, 'base64url').toString('latin1'))
        .join();
      expect(readable).not.toContain('Acme');
      expect(readable).not.toContain('studio');
    }
  });
});

it('issueLicense: stores only the hash of the license key', async () => {
  const file = await vendor.issue(documentOf({ ...DRAFT, licenseKey: LICENSE_KEY }));
  const readable = file
    .split('\n')
    .slice(1, -2)
    .join('')
    .split('.')
    .map((part) => Buffer.from(part, 'base64url').toString())
    .join();
  expect(readable).toContain('licenseKeySha256');
  expect(readable).not.toContain(LICENSE_KEY);
});

it('issueLicense: refuses a certificate of another key', async () => {
  await expect(vendor.issue(DOCUMENT, { key: await generateKey('vendor') })).rejects.toThrow(
    /the certificate is for the key/,
  );
});
