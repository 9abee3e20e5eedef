import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { createVendor, NOW_MS, type Vendor } from '@evergrant/test-support/vendor';
import { verifyLicense } from '../../src/license/verify';

/** Keygen's license files, made as its API makes them; what came out of another implementation is in golden.test.ts. */
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

describe('a Keygen license becomes one of kind cloud', () => {
  it('with the seats of its own limit, or of its policy', async () => {
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
  ])('whose overdraft follows %s', async (overageStrategy, overdraft) => {
    const { entitlement, dropped } = await mapped({ policy: { overageStrategy } });
    expect(entitlement?.overdraft).toBe(overdraft);
    expect(dropped.join()).not.toContain('overage');
  });

  it('that ends when the license or its file ends, whichever is first; never, when neither does', async () => {
    const until = async (expiry: string | null, file: string | null) =>
      (await mapped({ attributes: { expiry }, meta: { expiry: file } })).validUntil;
    expect(await until('2026-09-01T00:00:00Z', '2027-05-01T00:00:00Z')).toBe('2026-09-01T00:00:00.000Z');
    expect(await until('2028-09-01T00:00:00Z', '2027-05-01T00:00:00Z')).toBe('2027-05-01T00:00:00.000Z');
    expect(await until(null, null)).toBe('9999-12-31T23:59:59Z');
  });

  it('and says what had no counterpart', async () => {
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
      'machines without limit: 1000000 seats stand for it',
      'overage without limit (ALWAYS_ALLOW_OVERAGE): as many seats again may be taken as overdraft',
      'the license names no entitlements: its seats are of the feature "license"',
      'a limit of CPU cores (maxCores: 4)',
      'a limit of uses (maxUses: 10)',
      'metadata (a)',
      'the groups that the file includes',
    ]);
  });
});

describe('a Keygen license file is refused', () => {
  const refusal = async (file: string, keys?: string[]) => {
    const verdict = await verdictOf(file, keys);
    return verdict.kind === 'refused' ? verdict.code : 'valid';
  };

  it('when no Keygen account is trusted, or another one', async () => {
    expect(await refusal(keygenFile(), [])).toBe('license_unknown_key');
    expect(await refusal(keygenFile(), ['ab'.repeat(32)])).toBe('license_tampered');
  });

  it.each(['SUSPENDED', 'BANNED'])('when its license was %s', async (status) => {
    expect(await refusal(keygenFile({ attributes: { status } }))).toBe('license_suspended');
  });

  it('when its license or itself has expired', async () => {
    expect(await refusal(keygenFile({ attributes: { expiry: '2026-05-20T00:00:00Z' } }))).toBe('license_expired');
    expect(await refusal(keygenFile({ meta: { expiry: '2026-05-20T00:00:00Z' } }))).toBe('license_expired');
  });

  it('when it is of an algorithm that is not known, or no license at all', async () => {
    expect(await refusal(signedFile('QUJD', 'base64+rsa-sha256'))).toBe('license_unreadable');
    expect(await refusal(signedFile('QUJD'))).toBe('license_unreadable');
    expect(await refusal(keygenFile({ meta: { issued: 'yesterday' } }))).toBe('license_unreadable');
  });

  it('when a byte of what was signed has changed', async () => {
    const container = JSON.parse(Buffer.from(keygenFile().split('\n').slice(1, -2).join(''), 'base64').toString());
    const document = Buffer.from(container.enc, 'base64').toString().replace('"maxMachines":8', '"maxMachines":9');
    const enc = Buffer.from(document).toString('base64');
    const body = Buffer.from(JSON.stringify({ ...container, enc })).toString('base64');
    expect(await refusal(`-----BEGIN LICENSE FILE-----\n${body}\n-----END LICENSE FILE-----\n`)).toBe(
      'license_tampered',
    );
  });
});
