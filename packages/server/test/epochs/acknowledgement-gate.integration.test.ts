import { createHash, randomUUID } from 'node:crypto';
import { eventually } from '@evergrant/test-support/eventually';
import { documentForTest, type LicenseDraft, signForTest } from '@evergrant/test-support/server/test-licenses';
import { type RunningServer, type TestResponse, TestWorld, TOKENS } from '@evergrant/test-support/server/test-world';
import { connectLicenseDatabase } from '../../src/platform/postgres/license-database';

/** One server whose follower's acknowledgements the test can hold up. */
const TTL_SECONDS = 600;
const POLICY = { authorityLeaseMs: 3_000, skewMs: 500 };

let world: TestWorld;
let server: RunningServer;
let isHeldUp = false;

const draft = (changed: Partial<LicenseDraft> = {}, entitlement: object = {}): LicenseDraft => ({
  licenseId: `lic-${randomUUID()}`,
  customer: 'Beta',
  product: `Product ${randomUUID()}`,
  entitlements: [
    { feature: 'studio', seats: 2, escrow: 1, leaseTtlSeconds: TTL_SECONDS, borrowSecondsMax: 10_000, ...entitlement },
  ],
  ...changed,
});

beforeAll(async () => {
  world = await TestWorld.create(draft());
  server = await world.startGranting({
    authorityLeaseMs: 30_000,
    wrapDatabase: (database) => ({
      ...database,
      replication: {
        ...database.replication,
        // The tests set the mode: the server must not restore the wait in between.
        protectGrants: async () => undefined,
        readAcknowledged: async () => (isHeldUp ? '0/1' : 'FFFFFFFF/FFFFFFFF'),
      },
    }),
  });
}, 60_000);

afterAll(() => world?.close());

afterEach(async () => {
  isHeldUp = false;
  await unprotected(false);
});

async function unprotected(on: boolean): Promise<void> {
  await world.database.query(`update epoch set unprotected_since = ${on ? 'clock_timestamp()' : 'null'}`);
}

async function bring(license: LicenseDraft): Promise<TestResponse> {
  const answer = await server.app.inject({
    method: 'POST',
    url: '/v1/licenses',
    headers: { authorization: `Bearer ${TOKENS.admin}`, 'content-type': 'text/plain' },
    payload: await signForTest(license),
  });
  return { status: answer.statusCode, body: answer.json(), headers: answer.headers };
}

function checkout(
  { product }: LicenseDraft,
  wanted: object = {},
  leaseId: string = randomUUID(),
): Promise<TestResponse> {
  return server.call('PUT', `/v1/leases/${leaseId}`, {
    product,
    feature: 'studio',
    seats: 1,
    holder: 'room',
    ...wanted,
  });
}

const heartbeat = (leaseId: string) => server.call('POST', `/v1/leases/${leaseId}/heartbeat`);
const takeBack = (leaseId: string) =>
  server.call('DELETE', `/v1/leases/${leaseId}`, { reason: 'the host is gone' }, TOKENS.admin);

async function poolOf({ licenseId }: LicenseDraft) {
  const [row] = await world.database.query<{ id: number; seats: number; ttl: number; taken: number; awaited: number }>(
    `select id, seats, lease_ttl_seconds as ttl, seats_taken as taken, seats_awaited as awaited
     from pool where license_id = '${licenseId}'`,
  );
  return row;
}

const newToken = () => ({
  name: `token-${randomUUID()}`,
  scopes: ['lease'],
  tokenSha256: createHash('sha256').update(randomUUID()).digest('hex'),
});

describe('a change that the follower does not have', () => {
  it('is not acknowledged; the same request is, when the follower has caught up', async () => {
    isHeldUp = true;
    const token = newToken();
    const refused = await server.call('POST', '/v1/api-tokens', token, TOKENS.admin);
    expect(refused).toMatchObject({ status: 503, body: { code: 'not_protected' } });
    isHeldUp = false;
    expect((await server.call('POST', '/v1/api-tokens', token, TOKENS.admin)).status).toBe(204);
  }, 30_000);

  it('comes into force only afterwards, when it is an import that widens terms', async () => {
    const license = draft();
    expect((await bring(license)).status).toBe(201);
    const { body: held } = await checkout(license);
    isHeldUp = true;
    const [entitlement] = draft({}, { seats: 5, leaseTtlSeconds: 6_000 }).entitlements;
    const widened = { ...license, issue: 2, entitlements: [entitlement!] };
    expect(await bring(widened)).toMatchObject({ status: 503, body: { code: 'not_protected' } });
    expect(await poolOf(license)).toMatchObject({ seats: 2, ttl: TTL_SECONDS });
    const { body: renewed } = await heartbeat(held.leaseId);
    expect(Date.parse(renewed.expiresAt) - Date.parse(renewed.serverTime)).toBeLessThanOrEqual(TTL_SECONDS * 1_000);
    isHeldUp = false;
    expect((await bring(widened)).status).toBe(201);
    expect(await poolOf(license)).toMatchObject({ seats: 5, ttl: 6_000 });
  }, 30_000);

  it('frees no seat, when it takes a lease back; the lease is not renewed', async () => {
    const license = draft({}, { seats: 1 });
    await bring(license);
    const { body: held } = await checkout(license);
    isHeldUp = true;
    expect(await takeBack(held.leaseId)).toMatchObject({ status: 503, body: { code: 'not_protected' } });
    expect(await poolOf(license)).toMatchObject({ taken: 1 });
    expect(await heartbeat(held.leaseId)).toMatchObject({ status: 410, body: { code: 'lease_released' } });
    isHeldUp = false;
    // A server finishes what was marked, also when nobody asks again.
    await eventually('the seat is free', async () => (await poolOf(license))?.taken === 0);
    expect((await checkout(license)).status).toBe(201);
  }, 30_000);
});

describe('while unprotected', () => {
  beforeEach(() => unprotected(true));

  it('an import that widens terms is refused with what it widens, one that narrows is acknowledged', async () => {
    await unprotected(false);
    const license = draft({}, { seats: 5 });
    await bring(license);
    await unprotected(true);
    const issue = (number: number, entitlement: object): LicenseDraft => ({
      ...draft({ issue: number }, entitlement),
      licenseId: license.licenseId,
      product: license.product,
    });
    const refused = await bring(issue(2, { seats: 9 }));
    expect(refused).toMatchObject({ status: 503, body: { code: 'not_protected' } });
    expect(refused.body.detail).toContain('seats of studio');
    expect(await bring(draft())).toMatchObject({ status: 503, body: { code: 'not_protected' } });
    expect((await bring(issue(2, { seats: 3 }))).status).toBe(201);
  });

  it('a borrow takes no seat, and an ordinary checkout is granted', async () => {
    await unprotected(false);
    const license = draft();
    await bring(license);
    await unprotected(true);
    for (let n = 0; n < 10; n++) {
      expect(await checkout(license, { borrowSeconds: 9_000 })).toMatchObject({ body: { code: 'not_protected' } });
    }
    expect(await poolOf(license)).toMatchObject({ taken: 0 });
    expect((await checkout(license)).status).toBe(201);
  });

  it('a token is revoked and none is created', async () => {
    await unprotected(false);
    const token = newToken();
    expect((await server.call('POST', '/v1/api-tokens', token, TOKENS.admin)).status).toBe(201);
    await unprotected(true);
    expect(await server.call('POST', '/v1/api-tokens', newToken(), TOKENS.admin)).toMatchObject({
      status: 503,
      body: { code: 'not_protected' },
    });
    const revoked = await server.call('DELETE', `/v1/api-tokens/${token.name}`, { reason: 'stolen' }, TOKENS.admin);
    expect(revoked.status).toBe(204);
  });

  it('a lease that is taken back keeps its seats until it expires or the follower is back', async () => {
    await unprotected(false);
    const license = draft({}, { seats: 1 });
    await bring(license);
    const { body: held } = await checkout(license);
    await unprotected(true);
    expect((await takeBack(held.leaseId)).status).toBe(204);
    expect(await poolOf(license)).toMatchObject({ taken: 1 });
    expect(await heartbeat(held.leaseId)).toMatchObject({ status: 410 });
    await unprotected(false);
    await eventually('the seat is free', async () => (await poolOf(license))?.taken === 0);
  });
});

describe('an import that ends a license earlier', () => {
  it('ends its leases with it and names the borrowed ones', async () => {
    const license = draft();
    await bring(license);
    const { body: held } = await checkout(license);
    const { body: borrowed } = await checkout(license, { borrowSeconds: 9_000 });
    const validUntil = `${new Date(Date.now() + 60_000).toISOString().slice(0, 19)}Z`;
    const answer = await bring({ ...license, issue: 2, validUntil });
    expect(answer).toMatchObject({ status: 201, body: { leasesCut: 1 } });
    expect(answer.body.borrowedBeyond).toMatchObject([{ leaseId: borrowed.leaseId, feature: 'studio', seats: 1 }]);
    const [row] = await world.database.query<{ until: Date }>(
      `select expires_at as until from lease where id = '${held.leaseId}'`,
    );
    expect(row?.until.getTime()).toBe(Date.parse(validUntil));
  });
});

/** Last: the epoch moves on. */
describe('an epoch that opens after a loss', () => {
  it('brings announced imports into force and reckons with both terms; it ends marked leases', async () => {
    const license = draft({}, { seats: 4, escrow: 3 });
    await bring(license);
    const { body: held } = await checkout(license);
    isHeldUp = true;
    expect((await takeBack(held.leaseId)).status).toBe(503);
    const next = {
      ...license,
      issue: 2,
      entitlements: [{ feature: 'studio', seats: 9, escrow: 1, leaseTtlSeconds: 900 }],
    };
    const announced = await world.database.as('evergrant_owner', async (client) =>
      client.query('select evergrant_announce_import($1, $2, $3)', [
        JSON.stringify(documentForTest(next)),
        await signForTest(next),
        'the test',
      ]),
    );
    expect(announced.rowCount).toBe(1);
    const database = connectLicenseDatabase(world.database.address('evergrant_server'), {
      server: 'virginia/app-1',
      followerName: 'oregon_follower',
    });
    const opened = await database.epochs.open({
      ...{ epoch: 2, region: 'virginia', openedBy: 'virginia/app-1' },
      ...{ policy: POLICY, unprotected: undefined, lapsedAtMs: Date.now() },
    });
    await database.close();
    expect(opened).toMatchObject({ kind: 'opened', possibleLoss: 'escrow' });
    expect(await poolOf(license)).toMatchObject({ seats: 9, ttl: 900, awaited: 3, taken: 0 });
    const [lease] = await world.database.query<{ state: string }>(
      `select state from lease where id = '${held.leaseId}'`,
    );
    expect(lease?.state).toBe('released');
    expect(await world.database.query('select * from pending_import')).toEqual([]);
  }, 30_000);
});
