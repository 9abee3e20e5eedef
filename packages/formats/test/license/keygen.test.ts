import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { createVendor, NOW_MS, type Vendor } from '@evergrant/test-support/vendor';
import { verifyLicense } from '../../src/license/verify';

/** Files in the format of Keygen's API. golden.test.ts covers files that another implementation made. */
let vendor: Vendor;
let account: { privateKey: KeyObject; hex: string };

beforeAll(async () => {
  vendor = await createVendor();
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  account = {
    privateKey,
    hex: Buffer.from(String(publicKey.export({ format: 'jwk' }).x), 'base64url').toString('hex'),
  };
});

interface Parts {
  readonly attributes?: object;
  readonly policy?: object;
  readonly included?: object[];
  readonly meta?: object;
}

function keygenFile({ attributes = {}, policy = {}, included = [], meta = {} }: Parts = {}): string {
  const document = {
    data: { id: 'k-1', type: 'licenses', attributes: { name: 'Acme', key: 'A-B-C', maxMachines: 8, ...attributes } },
    included: [{ id: 'p', type: 'policies', attributes: policy }, ...included],
    meta: { issued: '2026-05-01T00:00:00Z', expiry: '2027-05-01T00:00:00Z', ...meta },
  };
  return signedFile(Buffer.from(JSON.stringify(document)).toString('base64'));
}

function signedFile(enc: string, alg = 'base64+ed25519'): string {
  const sig = sign(null, Buffer.from(`license/${enc}`), account.privateKey).toString('base64');
  const body = Buffer.from(JSON.stringify({ enc, sig, alg })).toString('base64');
  return `-----BEGIN LICENSE FILE-----\n${body.match(/.{1,60}/g)?.join('\n')}\n-----END LICENSE FILE-----\n`;
}

function verdictOf(file: string, keygenPublicKeys = [account.hex]) {
  return verifyLicense(file, { trust: { ...vendor.trust, keygenPublicKeys }, nowMs: NOW_MS });
}

async function mapped(parts: Parts) {
  const verdict = await verdictOf(keygenFile(parts));
  if (verdict.kind === 'refused') throw new Error(`${verdict.code}: ${verdict.detail}`);
  return { ...verdict.document, entitlement: verdict.document.entitlements[0], dropped: verdict.dropped };
}

describe('Keygen mapping', () => {
  it('takes the seats from the license, or from its policy', async () => {
    expect((await mapped({ policy: { maxMachines: 3 } })).entitlement).toMatchObject({ feature: 'license', seats: 8 });
    expect((await mapped({ attributes: { maxMachines: null }, policy: { maxMachines: 3 } })).entitlement?.seats).toBe(
      3,
    );
    expect((await mapped({ attributes: { maxMachines: null } })).entitlement?.seats).toBe(1);
  });

  it.each([
    ['NO_OVERAGE', 0],
    ['ALLOW_1_25X_OVERAGE', 2],
    ['ALLOW_1_5X_OVERAGE', 4],
    ['ALLOW_2X_OVERAGE', 8],
  ])('maps the overage strategy %s to overdraft', async (overageStrategy, overdraft) => {
    const { entitlement, dropped } = await mapped({ policy: { overageStrategy } });
    expect(entitlement?.overdraft).toBe(overdraft);
    expect(dropped.join()).not.toContain('overage');
  });

  it('ends the license at the earlier expiry of license and file', async () => {
    const until = async (expiry: string | null, file: string | null) =>
      (await mapped({ attributes: { expiry }, meta: { expiry: file } })).validUntil;
    expect(await until('2026-09-01T00:00:00Z', '2027-05-01T00:00:00Z')).toBe('2026-09-01T00:00:00.000Z');
    expect(await until('2028-09-01T00:00:00Z', '2027-05-01T00:00:00Z')).toBe('2027-05-01T00:00:00.000Z');
    expect(await until(null, null)).toBe('9999-12-31T23:59:59Z');
  });

  it('lists the parts without a counterpart', async () => {
    const { entitlement, dropped } = await mapped({
      attributes: {
        maxMachines: null,
        floating: true,
        maxCores: 4,
        maxUses: null,
        requireCheckIn: false,
        metadata: { a: 1 },
      },
      policy: { overageStrategy: 'ALWAYS_ALLOW_OVERAGE', maxUses: 10 },
      included: [{ id: 'g', type: 'groups' }],
    });
    expect(entitlement).toMatchObject({ seats: 1_000_000, overdraft: 1_000_000 });
    expect(dropped).toEqual([
      'unlimited machines: mapped to 1000000 seats',
      'unlimited overage (ALWAYS_ALLOW_OVERAGE): mapped to an overdraft of as many seats again',
      'the license has no entitlements: its seats are mapped to the feature "license"',
      'a limit of CPU cores (maxCores: 4)',
      'a limit of uses (maxUses: 10)',
      'metadata (a)',
      'the included groups',
    ]);
  });
});

describe('Keygen verification', () => {
  const refusal = async (file: string, keys?: string[]) => {
    const verdict = await verdictOf(file, keys);
    return verdict.kind === 'refused' ? verdict.code : 'valid';
  };

  it('refuses a file when its Keygen account is not trusted', async () => {
    expect(await refusal(keygenFile(), [])).toBe('license_unknown_key');
    expect(await refusal(keygenFile(), ['ab'.repeat(32)])).toBe('license_tampered');
  });

  it.each(['SUSPENDED', 'BANNED'])('refuses a license that is %s', async (status) => {
    expect(await refusal(keygenFile({ attributes: { status } }))).toBe('license_suspended');
  });

  it('refuses an expired license and an expired file', async () => {
    expect(await refusal(keygenFile({ attributes: { expiry: '2026-05-20T00:00:00Z' } }))).toBe('license_expired');
    expect(await refusal(keygenFile({ meta: { expiry: '2026-05-20T00:00:00Z' } }))).toBe('license_expired');
  });

  it('refuses an unsupported algorithm and other content', async () => {
    expect(await refusal(signedFile('QUJD', 'base64+rsa-sha256'))).toBe('license_unreadable');
    expect(await refusal(signedFile('QUJD'))).toBe('license_unreadable');
    expect(await refusal(keygenFile({ meta: { issued: 'yesterday' } }))).toBe('license_unreadable');
  });

  it('refuses a file whose signed content was changed', async () => {
    const container = JSON.parse(Buffer.from(keygenFile().split('\n').slice(1, -2).join(''), 'base64').toString());
    const document = Buffer.from(container.enc, 'base64').toString().replace('"maxMachines":8', '"maxMachines":9');
    const enc = Buffer.from(document).toString('base64');
    const body = Buffer.from(JSON.stringify({ ...container, enc })).toString('base64');
    expect(await refusal(`-----BEGIN LICENSE FILE-----\n${body}\n-----END LICENSE FILE-----\n`)).toBe(
      'license_tampered',
    );
  });
});
