import { randomUUID } from 'node:crypto';
import { eventually } from '@evergrant/test-support/eventually';
import { FollowedDatabase } from '@evergrant/test-support/server/followed-database';
import {
  type LicenseDraft,
  PRODUCT,
  type RunningServer,
  TestWorld,
  TOKENS,
} from '@evergrant/test-support/server/test-world';
import { decodeJwt } from 'jose';
import { connectLicenseDatabase } from '../../src/platform/postgres/license-database';

const DAY_SECONDS = 86_400;

const LICENSE: LicenseDraft = {
  licenseId: 'lic-1',
  customer: 'Acme',
  product: PRODUCT,
  entitlements: [
    { feature: 'field', seats: 100, borrowSecondsMax: 30 * DAY_SECONDS, leaseTtlSeconds: 600 },
    { feature: 'office', seats: 100, leaseTtlSeconds: 600 },
  ],
};

let databases: FollowedDatabase;
let world: TestWorld;
let server: RunningServer;

beforeAll(async () => {
  databases = await FollowedDatabase.create(LICENSE);
  world = await TestWorld.create();
  server = await world.startGranting({
    wrapDatabase: () =>
      connectLicenseDatabase(databases.address(databases.primary), {
        server: 'oregon/app-1',
        followerName: 'virginia_follower',
      }),
  });
}, 60_000);

afterAll(async () => {
  await world?.close();
  await databases?.drop();
});

function borrow(borrowSeconds: number | undefined, { leaseId = randomUUID() as string, ...overrides }: Overrides = {}) {
  const body = { product: PRODUCT, feature: 'field', seats: 1, holder: 'a laptop', ...overrides };
  return server.call('PUT', `/v1/leases/${leaseId}`, borrowSeconds === undefined ? body : { ...body, borrowSeconds });
}
interface Overrides {
  leaseId?: string;
  feature?: string;
  seats?: number;
  identity?: string;
}

async function onFollower(leaseId: string): Promise<boolean> {
  return (await databases.follower.query('select from lease where id = $1', [leaseId])).length === 1;
}

describe('seats borrowed for offline use', () => {
  it('are a lease with a separate end, in the answer and in the token', async () => {
    const { status, body } = await borrow(7 * DAY_SECONDS);
    expect(status).toBe(201);
    expect(body.borrowed).toBe(true);
    expect(Math.round((Date.parse(body.expiresAt) - Date.parse(body.serverTime)) / 1000)).toBe(7 * DAY_SECONDS);
    expect(decodeJwt(body.token)).toMatchObject({ borrowed: true, exp: Math.floor(Date.parse(body.expiresAt) / 1000) });
    const shown = await server.call('GET', `/v1/leases/${body.leaseId}`, undefined, TOKENS.reader);
    expect(shown.body).toMatchObject({ borrowed: true });
  });

  it('are answered for only when the other region has them', async () => {
    const { status, body } = await borrow(DAY_SECONDS);
    expect(status).toBe(201);
    // Flushed there; its replay may be a moment behind.
    await eventually('it is there', () => onFollower(body.leaseId), { deadlineMs: 2_000 });
  });

  it('need no heartbeat, and none moves their end', async () => {
    const { body } = await borrow(DAY_SECONDS);
    const heartbeat = await server.call('POST', `/v1/leases/${body.leaseId}/heartbeat`, { token: body.token });
    expect(heartbeat).toMatchObject({ status: 200, body: { borrowed: true, expiresAt: body.expiresAt } });
    const short = await borrow(60);
    const beat = await server.call('POST', `/v1/leases/${short.body.leaseId}/heartbeat`);
    expect(beat.body.expiresAt).toBe(short.body.expiresAt);
  });

  it('may be given back early', async () => {
    const { body } = await borrow(DAY_SECONDS);
    expect((await server.call('DELETE', `/v1/leases/${body.leaseId}`)).status).toBe(204);
    expect((await borrow(DAY_SECONDS, { leaseId: body.leaseId })).body.code).toBe('lease_released');
  });

  it('asked for again are the same, and asked for differently are a conflict', async () => {
    const leaseId = randomUUID();
    const { body } = await borrow(DAY_SECONDS, { leaseId });
    expect((await borrow(DAY_SECONDS, { leaseId })).body).toMatchObject({ expiresAt: body.expiresAt, borrowed: true });
    expect((await borrow(undefined, { leaseId })).body.code).toBe('lease_conflict');
    const kept = await borrow(undefined);
    expect((await borrow(60, { leaseId: kept.body.leaseId })).body.code).toBe('lease_conflict');
  });

  it('are found again by the installation that borrowed them', async () => {
    const { body } = await borrow(DAY_SECONDS, { identity: 'laptop-7' });
    expect((await borrow(DAY_SECONDS, { identity: 'laptop-7' })).body.leaseId).toBe(body.leaseId);
    expect((await borrow(undefined, { identity: 'laptop-7' })).body.leaseId).not.toBe(body.leaseId);
  });

  it('are not lent for longer than the license says', async () => {
    expect(await borrow(30 * DAY_SECONDS + 1)).toMatchObject({
      status: 422,
      body: { code: 'borrow_too_long', field: 'borrowSeconds', borrowSecondsMax: 30 * DAY_SECONDS },
    });
    const never = await borrow(1, { feature: 'office' });
    expect(never).toMatchObject({ status: 422, body: { code: 'borrow_too_long', borrowSecondsMax: 0 } });
    expect(never.body.detail).toContain('nothing may be borrowed');
    expect((await borrow(0)).body).toMatchObject({ code: 'invalid_request', field: 'borrowSeconds' });
  });

  it('end with the license at the latest', async () => {
    const validUntil = new Date(Date.now() + 7_200_000).toISOString();
    await databases.importLicense({ ...LICENSE, issue: 2, validUntil });
    const { body } = await borrow(DAY_SECONDS);
    expect(Date.parse(body.expiresAt) - Date.parse(body.serverTime)).toBeLessThanOrEqual(7_200_000);
    await databases.importLicense({ ...LICENSE, issue: 3 });
  });
});

it('nothing is lent and no seat is taken while the follower is away; the same request is granted when it is back', async () => {
  await databases.follower.stop();
  const leaseId = randomUUID();
  const refused = await borrow(DAY_SECONDS, { leaseId });
  expect(refused).toMatchObject({ status: 503, body: { code: 'not_protected' } });
  expect(refused.headers['retry-after']).toBe('1');
  // No seat was taken for it.
  const heartbeat = await server.call('POST', `/v1/leases/${leaseId}/heartbeat`);
  expect(heartbeat).toMatchObject({ status: 404, body: { code: 'lease_not_found' } });
  // Other checkouts are served.
  expect((await borrow(undefined)).status).toBe(201);
  await databases.startFollower();
  await eventually('it is lent', async () => (await borrow(DAY_SECONDS, { leaseId })).status === 201);
  expect(await borrow(DAY_SECONDS, { leaseId })).toMatchObject({ status: 201, body: { leaseId, borrowed: true } });
  await eventually('it is there', () => onFollower(leaseId), { deadlineMs: 2_000 });
}, 60_000);
