import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { generateKey } from '@evergrant/formats/license/keys';
import { type LicenseDraft, signForTest } from '@evergrant/test-support/server/test-licenses';
import {
  LICENSE,
  PRODUCT,
  type RunningServer,
  type TestResponse,
  TestWorld,
  TOKENS,
} from '@evergrant/test-support/server/test-world';
import { createVendor, documentOf } from '@evergrant/test-support/vendor';
import fc from 'fast-check';

let world: TestWorld;
let server: RunningServer;

beforeAll(async () => {
  world = await TestWorld.create();
  // A machine that is busy with other tests may keep it from its renewals for a while.
  server = await world.startGranting({ authorityLeaseMs: 30_000 });
});
afterAll(() => world.close());

/** A separate license for each test. */
const fresh = (changed: Partial<LicenseDraft> = {}): LicenseDraft => ({
  licenseId: `lic-${randomUUID()}`,
  customer: 'Beta',
  product: `Product ${randomUUID()}`,
  entitlements: [{ feature: 'studio', seats: 5 }],
  ...changed,
});

async function bring(file: string, { token = TOKENS.admin, headers = {} as object } = {}): Promise<TestResponse> {
  const answer = await server.app.inject({
    method: 'POST',
    url: '/v1/licenses',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'text/plain', ...headers },
    payload: file,
  });
  return { status: answer.statusCode, body: answer.json(), headers: answer.headers };
}

const checkout = (license: LicenseDraft, seats = 1, leaseId: string = randomUUID()) =>
  server.call('PUT', `/v1/leases/${leaseId}`, { product: license.product, feature: 'studio', seats, holder: 'room' });

describe('license import', () => {
  it('is in force at once on every server', async () => {
    const other = await world.startGranting();
    const license = fresh();
    const answer = await bring(await signForTest(license));
    expect(answer).toMatchObject({
      status: 201,
      body: {
        outcome: 'imported',
        licenseId: license.licenseId,
        issue: 1,
        customer: 'Beta',
        kind: 'cloud',
        dropped: [],
      },
    });
    expect((await checkout(license, 5)).status).toBe(201);
    const denied = await other.call('PUT', `/v1/leases/${randomUUID()}`, {
      ...{ product: license.product, feature: 'studio', seats: 1, holder: 'room' },
    });
    expect(denied.body).toMatchObject({ code: 'no_seat_available', seats: 5 });
    expect(server.logLines.map(({ announce }) => announce)).toContain(
      `license ${license.licenseId} of Beta: issue 1 is in force, imported by admin`,
    );
  });

  it('is idempotent', async () => {
    const file = await signForTest(fresh());
    expect((await bring(file)).status).toBe(201);
    expect(await bring(file)).toMatchObject({ status: 200, body: { outcome: 'unchanged' } });
  });

  it('with more seats lets refused clients succeed at their next request', async () => {
    const license = fresh();
    await bring(await signForTest(license));
    await checkout(license, 5);
    expect((await checkout(license)).status).toBe(409);
    await bring(await signForTest({ ...license, issue: 2, entitlements: [{ feature: 'studio', seats: 6 }] }));
    expect((await checkout(license)).status).toBe(201);
  });

  it('decrypts a file that is encrypted to the deployment', async () => {
    const encryptTo = { kind: 'deployment', key: world.vendor.deployment } as const;
    const document = documentOf({
      ...fresh(),
      kind: 'cloud',
      validFrom: '2020-01-01T00:00:00Z',
      validUntil: '2099-01-01T00:00:00Z',
    });
    expect((await bring(await world.vendor.issue(document, { encryptTo }))).status).toBe(201);
    const [row] = await world.database.query('select file from license where id = $1', [document.licenseId]);
    // Kept as it was signed: the deployment's key may change.
    expect(String(row?.file)).toContain('BEGIN EVERGRANT LICENSE');
    expect((await checkout({ ...fresh(), product: document.product })).status).toBe(201);
  });

  it('decrypts a file with the license key in the request', async () => {
    const licenseKey = randomUUID();
    const encryptTo = { kind: 'license_key', licenseKey } as const;
    const document = documentOf({
      ...fresh(),
      kind: 'cloud',
      validFrom: '2020-01-01T00:00:00Z',
      validUntil: '2099-01-01T00:00:00Z',
      licenseKey,
    });
    const file = await world.vendor.issue(document, { encryptTo });
    expect(await bring(file)).toMatchObject({ status: 403, body: { code: 'license_not_for_this_deployment' } });
    const headers = { 'evergrant-license-key': licenseKey };
    expect((await bring(file, { headers })).status).toBe(201);
    expect((await checkout({ ...fresh(), product: document.product })).status).toBe(201);
  });
});

describe('license import: Keygen file', () => {
  const fixture = (name: string) =>
    readFileSync(join(__dirname, '../../../formats/test/license/fixtures', name), 'utf8');
  const keys = JSON.parse(fixture('keys.json'));

  it.each(['keygen-plain.lic', 'keygen-encrypted.lic'])('is imported and granted from: %s', async (name) => {
    const keygenWorld = await TestWorld.create();
    const trust = { ...keygenWorld.vendor.trust, keygenPublicKeys: [keys.keygenPublicKey] };
    const trusting = await keygenWorld.startGranting({ trust });
    const answer = await trusting.app.inject({
      method: 'POST',
      url: '/v1/licenses',
      headers: {
        authorization: `Bearer ${TOKENS.admin}`,
        'content-type': 'text/plain',
        'evergrant-license-key': keys.keygenLicenseKey,
      },
      payload: fixture(name),
    });
    expect(answer.json()).toMatchObject({ outcome: 'imported', product: 'Assembler', dropped: expect.any(Array) });
    expect(answer.json().dropped).toContain('a limit of users (maxUsers: 7)');
    const body = { product: 'Assembler', feature: 'STUDIO', seats: 20, holder: 'room' };
    expect((await trusting.call('PUT', `/v1/leases/${randomUUID()}`, body)).status).toBe(201);
    const [row] = await keygenWorld.database.query(`select file from license where customer = 'Ada Example'`);
    expect(String(row?.file)).not.toContain(keys.keygenLicenseKey);
    await keygenWorld.close();
  });
});

describe('license import: refuses a file', () => {
  it('with a code and a detail for each error', async () => {
    const stranger = await createVendor();
    const valid = { kind: 'cloud', validFrom: '2020-01-01T00:00:00Z', validUntil: '2099-01-01T00:00:00Z' };
    const document = documentOf({ ...fresh(), ...valid });
    const elsewhere = { encryptTo: { kind: 'deployment' as const, key: await generateKey('deployment') } };
    const servers = ['site/alpha', 'site/beta', 'site/gamma'];
    const cases: [string, number, string][] = [
      ['no license', 422, 'license_unreadable'],
      [(await signForTest(fresh())).replace(/.{9}\n-----END/, 'AAAAAAAAA\n-----END'), 403, 'license_tampered'],
      [await stranger.issue(document), 403, 'license_unknown_key'],
      [await signForTest(fresh({ validUntil: '2021-01-01T00:00:00Z' })), 403, 'license_expired'],
      [await signForTest(fresh({ validFrom: '2098-01-01T00:00:00Z' })), 403, 'license_not_yet_valid'],
      [await signForTest(fresh({ kind: 'redundant', servers })), 421, 'license_wrong_server'],
      [await world.vendor.issue(document, elsewhere), 403, 'license_not_for_this_deployment'],
    ];
    for (const [file, status, code] of cases) {
      const answer = await bring(file);
      expect([answer.status, answer.body.code]).toEqual([status, code]);
      expect(answer.headers['content-type']).toBe('application/problem+json');
      expect(answer.body.detail.length).toBeGreaterThan(20);
    }
    const { body } = await server.call('GET', '/metrics', undefined, null);
    expect(body).toContain('evergrant_license_imports_total{outcome="license_expired"} 1');
  });

  it('when the certificate of its key has expired', async () => {
    const old = await createVendor({ validFrom: '2020-01-01T00:00:00Z', validUntil: '2021-01-01T00:00:00Z' });
    const lateWorld = await TestWorld.create();
    const late = await lateWorld.startGranting({ trust: old.trust });
    const file = await old.issue(
      documentOf({ ...fresh(), kind: 'cloud', validFrom: '2020-01-01T00:00:00Z', validUntil: '2099-01-01T00:00:00Z' }),
    );
    const answer = await late.app.inject({
      method: 'POST',
      url: '/v1/licenses',
      headers: { authorization: `Bearer ${TOKENS.admin}`, 'content-type': 'text/plain' },
      payload: file,
    });
    expect([answer.statusCode, answer.json().code]).toEqual([403, 'license_key_expired']);
    await lateWorld.close();
  });

  it('when a later issue is in force', async () => {
    const license = fresh({ issue: 7 });
    await bring(await signForTest(license));
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 0, max: 1_000 }), async (issue, seats) => {
        const answer = await bring(
          await signForTest({ ...license, issue, entitlements: [{ feature: 'studio', seats }] }),
        );
        expect(answer).toMatchObject({ status: 409, body: { code: 'license_replayed', issue, issueInForce: 7 } });
      }),
      { numRuns: 25 },
    );
    expect((await checkout(license, 5)).status).toBe(201);
  });

  it('when it would remove seats in use, and says what to do', async () => {
    const license = fresh();
    await bring(await signForTest(license));
    const leaseId = randomUUID();
    await checkout(license, 4, leaseId);
    const smaller = await signForTest({ ...license, issue: 2, entitlements: [{ feature: 'studio', seats: 3 }] });
    const answer = await bring(smaller);
    expect(answer).toMatchObject({
      status: 409,
      body: { code: 'license_shrinks_below_use', pools: [{ feature: 'studio', seats: 3, inUse: 4, heldBack: 0 }] },
    });
    expect(answer.body.detail).toContain('would have 3 seats; needed are 4 in use: release 1');
    await server.call('DELETE', `/v1/leases/${leaseId}`);
    expect((await bring(smaller)).status).toBe(201);
  });

  it('and survives arbitrary input', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.string({ unit: 'binary' }),
          fc
            .base64String()
            .map((body) => `-----BEGIN EVERGRANT LICENSE-----\n${body}\n-----END EVERGRANT LICENSE-----`),
          fc.json(),
        ),
        async (garbage) => {
          expect([403, 422]).toContain((await bring(garbage)).status);
        },
      ),
      { numRuns: 150 },
    );
    expect(server.role.verdict().kind).toBe('granting');
  });
});

describe('license import: request', () => {
  it('is allowed only to administrators', async () => {
    for (const token of [TOKENS.client, TOKENS.reader]) {
      expect((await bring('', { token })).body.code).toBe('forbidden');
    }
    expect((await bring('', { token: 'nobody' })).status).toBe(401);
  });

  it('accepts at most 64 KiB of text', async () => {
    expect((await bring('x'.repeat(70_000))).body.code).toBe('body_too_large');
    expect((await bring('{}', { headers: { 'content-type': 'application/json' } })).body.code).toBe(
      'unsupported_media_type',
    );
    expect((await bring('')).body.code).toBe('license_unreadable');
  });

  it('is refused by a server that does not grant, with the active region', async () => {
    const standby = await world.start({ region: 'virginia' });
    const answer = await standby.app.inject({
      method: 'POST',
      url: '/v1/licenses',
      headers: { authorization: `Bearer ${TOKENS.admin}`, 'content-type': 'text/plain' },
      payload: await signForTest(fresh()),
    });
    expect([answer.statusCode, answer.json().code]).toEqual([503, 'not_granting']);
  });
});

describe('reading licenses', () => {
  it('shows entitlements, but no license key', async () => {
    const licenseKey = randomUUID();
    const license = fresh({ licenseKey, policy: { graceSeconds: 60 } });
    await bring(await signForTest(license));
    const { body } = await server.call('GET', `/v1/licenses/${license.licenseId}`, undefined, TOKENS.reader);
    expect(body).toEqual({
      licenseId: license.licenseId,
      issue: 1,
      customer: 'Beta',
      product: license.product,
      kind: 'cloud',
      controlRoom: null,
      servers: [],
      validFrom: '2020-01-01T00:00:00.000Z',
      validUntil: '2099-01-01T00:00:00.000Z',
      validity: 'valid',
      policy: { graceSeconds: 60, suspendAfterSeconds: 2_592_000 },
      hasLicenseKey: true,
      importedAt: expect.any(String),
      importedBy: 'admin',
      entitlements: [
        {
          feature: 'studio',
          seats: 5,
          overdraft: 0,
          escrow: 1,
          leaseTtlSeconds: 600,
          borrowSecondsMax: 0,
          onDisconnect: 'keep',
        },
      ],
    });
    const all = await server.call('GET', '/v1/licenses', undefined, TOKENS.admin);
    expect(all.body.licenses.map((each: { licenseId: string }) => each.licenseId)).toContain('lic-1');
    expect(JSON.stringify(all.body)).not.toContain(licenseKey);
  });

  it('is not allowed to clients, and reports an unknown license', async () => {
    expect((await server.call('GET', '/v1/licenses')).status).toBe(403);
    expect((await server.call('GET', '/v1/licenses/none', undefined, TOKENS.reader)).body.code).toBe(
      'license_not_found',
    );
  });
});

it('integrity check: accepts the license of the test world', async () => {
  expect(LICENSE.product).toBe(PRODUCT);
  expect(
    (
      await server.call('PUT', `/v1/leases/${randomUUID()}`, {
        product: PRODUCT,
        feature: 'studio',
        seats: 1,
        holder: 'r',
      })
    ).status,
  ).toBe(201);
  const { body } = await server.call('GET', '/metrics', undefined, null);
  expect(body).toContain('evergrant_license_proven{license="lic-1"} 1');
});
