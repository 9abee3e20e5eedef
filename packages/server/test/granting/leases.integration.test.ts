import { randomUUID } from 'node:crypto';
import { eventually } from '@evergrant/test-support/eventually';
import { PRODUCT, type RunningServer, TestWorld, TOKENS } from '@evergrant/test-support/server/test-world';
import { compactVerify, decodeProtectedHeader, importJWK } from 'jose';

let world: TestWorld;
let server: RunningServer;

beforeAll(async () => {
  world = await TestWorld.create();
  server = await world.startGranting();
});

afterAll(() => world.close());

function body(overrides: object = {}): object {
  return { product: PRODUCT, feature: 'runner', seats: 1, holder: 'room-1', ...overrides };
}

async function checkedOut(overrides: object = {}): Promise<string> {
  const leaseId = randomUUID();
  expect((await server.call('PUT', `/v1/leases/${leaseId}`, body(overrides))).status).toBe(201);
  return leaseId;
}

/** Its time passes, and nobody has noticed yet. */
async function lapse(leaseId: string): Promise<void> {
  await world.database.query(`update lease set expires_at = clock_timestamp() - interval '1 ms' where id = $1`, [
    leaseId,
  ]);
}

describe('checkout', () => {
  it('grants a lease with everything the contract names', async () => {
    const leaseId = randomUUID();
    const { status, body: lease } = await server.call('PUT', `/v1/leases/${leaseId}`, body());
    expect(status).toBe(201);
    expect(lease).toEqual({
      leaseId,
      licenseId: 'lic-1',
      token: expect.any(String),
      expiresAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      serverTime: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      heartbeatAfter: expect.any(Number),
      epoch: 1,
      servedBy: 'oregon/app-1',
      policy: { graceSeconds: 172_800, suspendAfterSeconds: 2_592_000 },
    });
    expect(lease.heartbeatAfter).toBeGreaterThanOrEqual(180);
    expect(lease.heartbeatAfter).toBeLessThanOrEqual(220);
    expect(Date.parse(lease.expiresAt) - Date.parse(lease.serverTime)).toBe(600_000);
  });

  it('signs a token that the published key verifies', async () => {
    const leaseId = randomUUID();
    const { body: lease } = await server.call('PUT', `/v1/leases/${leaseId}`, body({ seats: 2 }));
    const { body: jwks } = await server.call('GET', '/.well-known/jwks.json', undefined, null);
    expect(jwks.keys).toEqual([
      { kty: 'OKP', crv: 'Ed25519', alg: 'EdDSA', use: 'sig', kid: 'test-1', x: expect.any(String) },
    ]);
    expect(decodeProtectedHeader(lease.token)).toEqual({ alg: 'EdDSA', kid: 'test-1', typ: 'evergrant-lease+jwt' });
    const { payload } = await compactVerify(lease.token, await importJWK(jwks.keys[0], 'EdDSA'));
    const claims = JSON.parse(Buffer.from(payload).toString());
    expect(claims).toMatchObject({
      iss: 'evergrant',
      jti: leaseId,
      sub: 'room-1',
      pool: { license: 'lic-1', product: PRODUCT, feature: 'runner' },
      policy: { graceSeconds: 172_800, suspendAfterSeconds: 2_592_000 },
      seats: 2,
      epoch: 1,
    });
    expect(claims.exp).toBe(Math.floor(Date.parse(lease.expiresAt) / 1000));
  });

  it('repeated, answers 201 with the same lease and takes no more seats', async () => {
    const before = await world.counts('runner');
    const leaseId = randomUUID();
    const first = await server.call('PUT', `/v1/leases/${leaseId}`, body({ seats: 3 }));
    const again = await server.call('PUT', `/v1/leases/${leaseId.toUpperCase()}`, body({ seats: 3 }));
    expect(again.status).toBe(201);
    expect(again.body.leaseId).toBe(leaseId);
    expect(again.body.expiresAt).toBe(first.body.expiresAt);
    expect((await world.counts('runner')).taken).toBe(before.taken + 3);
  });

  it('repeated many times at once is one lease', async () => {
    const before = await world.counts('runner');
    const leaseId = randomUUID();
    const answers = await Promise.all(
      Array.from({ length: 30 }, () => server.call('PUT', `/v1/leases/${leaseId}`, body())),
    );
    expect(new Set(answers.map((answer) => answer.status))).toEqual(new Set([201]));
    expect((await world.counts('runner')).taken).toBe(before.taken + 1);
  });

  it('with the id of a different request is a conflict', async () => {
    const leaseId = await checkedOut();
    for (const other of [{ seats: 2 }, { holder: 'room-2' }, { feature: 'studio' }]) {
      const { status, body: problem } = await server.call('PUT', `/v1/leases/${leaseId}`, body(other));
      expect([status, problem.code]).toEqual([409, 'lease_conflict']);
    }
  });

  it('of a released lease is gone, and of an expired one', async () => {
    const released = await checkedOut();
    await server.call('DELETE', `/v1/leases/${released}`);
    expect(await server.call('PUT', `/v1/leases/${released}`, body())).toMatchObject({
      status: 410,
      body: { code: 'lease_released' },
    });
    const expired = await checkedOut({ feature: 'mayfly' });
    await lapse(expired);
    expect(await server.call('PUT', `/v1/leases/${expired}`, body({ feature: 'mayfly' }))).toMatchObject({
      status: 410,
      body: { code: 'lease_expired' },
    });
  });

  it('says how many seats are free when there are not enough', async () => {
    await checkedOut({ feature: 'studio', seats: 7 });
    const {
      status,
      headers,
      body: problem,
    } = await server.call('PUT', `/v1/leases/${randomUUID()}`, body({ feature: 'studio', seats: 4 }));
    expect(status).toBe(409);
    expect(headers['content-type']).toBe('application/problem+json');
    expect(problem).toEqual({
      type: 'urn:evergrant:problem:no_seat_available',
      title: 'Not enough seats are free',
      status: 409,
      code: 'no_seat_available',
      detail: '3 of 10 seats are free',
      seats: 10,
      seatsFree: 3,
    });
  });

  it('of what no license entitles to is not found', async () => {
    for (const other of [{ product: 'Unknown' }, { feature: 'unknown' }]) {
      const { status, body: problem } = await server.call('PUT', `/v1/leases/${randomUUID()}`, body(other));
      expect([status, problem.code]).toEqual([404, 'entitlement_not_found']);
    }
  });

  it('takes the seats of leases whose time has passed', async () => {
    const { seats, taken } = await world.counts('mayfly');
    const old = await checkedOut({ feature: 'mayfly', seats: seats - taken });
    await lapse(old);
    const next = await checkedOut({ feature: 'mayfly', seats: seats - taken });
    expect((await world.counts('mayfly')).taken).toBe(seats);
    await server.call('DELETE', `/v1/leases/${next}`);
  });
});

describe('heartbeat', () => {
  it('renews by the TTL and answers as the checkout did', async () => {
    const leaseId = await checkedOut();
    await world.database.query(`update lease set expires_at = clock_timestamp() + interval '5 s' where id = $1`, [
      leaseId,
    ]);
    const { status, body: lease } = await server.call('POST', `/v1/leases/${leaseId}/heartbeat`);
    expect(status).toBe(200);
    const checkedOutAs = (await server.call('PUT', `/v1/leases/${leaseId}`, body())).body;
    expect(Object.keys(lease)).toEqual(Object.keys(checkedOutAs));
    expect(Date.parse(lease.expiresAt) - Date.now()).toBeGreaterThan(590_000);
  });

  it('never shortens a lease', async () => {
    const leaseId = await checkedOut();
    await world.database.query(`update lease set expires_at = clock_timestamp() + interval '1 day' where id = $1`, [
      leaseId,
    ]);
    const { body: lease } = await server.call('POST', `/v1/leases/${leaseId}/heartbeat`, {});
    expect(Date.parse(lease.expiresAt) - Date.now()).toBeGreaterThan(86_000_000);
  });

  it('takes no seat and leaves the counts alone', async () => {
    const leaseId = await checkedOut({ seats: 4 });
    const before = await world.counts('runner');
    await Promise.all(Array.from({ length: 20 }, () => server.call('POST', `/v1/leases/${leaseId}/heartbeat`)));
    expect(await world.counts('runner')).toEqual(before);
  });

  it('of an ended lease is gone', async () => {
    const released = await checkedOut();
    await server.call('DELETE', `/v1/leases/${released}`);
    expect(await server.call('POST', `/v1/leases/${released}/heartbeat`)).toMatchObject({
      status: 410,
      body: { code: 'lease_released' },
    });
    const expired = await checkedOut({ feature: 'mayfly' });
    await lapse(expired);
    expect(await server.call('POST', `/v1/leases/${expired}/heartbeat`)).toMatchObject({
      status: 410,
      body: { code: 'lease_expired' },
    });
  });

  it('of an unknown lease is not found', async () => {
    const answer = await server.call('POST', `/v1/leases/${randomUUID()}/heartbeat`);
    expect(answer).toMatchObject({ status: 404, body: { code: 'lease_not_found' } });
  });
});

describe('release', () => {
  it('gives the seats back, once, however often', async () => {
    const before = await world.counts('runner');
    const leaseId = await checkedOut({ seats: 5 });
    const answers = await Promise.all(Array.from({ length: 10 }, () => server.call('DELETE', `/v1/leases/${leaseId}`)));
    expect(new Set(answers.map((answer) => answer.status))).toEqual(new Set([204]));
    expect((await world.counts('runner')).taken).toBe(before.taken);
  });

  it('of an expired lease is fine', async () => {
    const leaseId = await checkedOut({ feature: 'mayfly' });
    await lapse(leaseId);
    expect((await server.call('DELETE', `/v1/leases/${leaseId}`)).status).toBe(204);
  });

  it('of an unknown lease is not found', async () => {
    expect(await server.call('DELETE', `/v1/leases/${randomUUID()}`)).toMatchObject({
      status: 404,
      body: { code: 'lease_not_found' },
    });
  });

  it('may be forced by an administrator, who says why', async () => {
    const leaseId = await checkedOut();
    const path = `/v1/leases/${leaseId}`;
    expect(await server.call('DELETE', path, {}, TOKENS.admin)).toMatchObject({
      status: 422,
      body: { code: 'invalid_request', field: 'reason' },
    });
    expect((await server.call('DELETE', path, { reason: 'the host is gone' }, TOKENS.admin)).status).toBe(204);
    expect((await server.call('GET', path, undefined, TOKENS.reader)).body).toMatchObject({
      state: 'released',
      endedBy: 'admin',
      endedBecause: 'forced: the host is gone',
    });
    expect(await server.call('POST', `${path}/heartbeat`)).toMatchObject({
      status: 410,
      body: { code: 'lease_released' },
    });
  });

  it('is not forced by a holder', async () => {
    const leaseId = await checkedOut();
    const answer = await server.call('DELETE', `/v1/leases/${leaseId}`, { reason: 'I want it' });
    expect(answer).toMatchObject({ status: 403, body: { code: 'forbidden' } });
  });
});

it('ends leases whose time has passed, without anyone asking', async () => {
  const leaseId = await checkedOut();
  const before = await world.counts('runner');
  await lapse(leaseId);
  await eventually('the seat is free again', async () => (await world.counts('runner')).taken === before.taken - 1);
  const { body: lease } = await server.call('GET', `/v1/leases/${leaseId}`, undefined, TOKENS.reader);
  expect(lease).toMatchObject({ state: 'expired', endedAt: expect.any(String) });
});

it('counts what its rows say, to the last', async () => {
  for (const feature of ['studio', 'runner', 'mayfly']) {
    const { live, taken } = await world.counts(feature);
    expect(taken).toBe(live);
  }
});
