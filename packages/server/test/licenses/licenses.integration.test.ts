import { randomUUID } from 'node:crypto';
import { eventually } from '@evergrant/test-support/eventually';
import { LICENSE, PRODUCT, type RunningServer, TestWorld, TOKENS } from '@evergrant/test-support/server/test-world';
import { decodeJwt } from 'jose';
import { registerTokens } from '../../src/api-tokens/sql/register-tokens';
import type { ControlRoomState } from '../../src/auth/core/caller';
import type { LicenseDatabase } from '../../src/platform/postgres/license-database';

/** Two licenses for the same feature, and a Control Room of each with a separate token. */
const ROOMS = { one: randomUUID(), two: randomUUID(), three: randomUUID(), guid: randomUUID() };
const ROOM_TOKENS = {
  one: 'token-of-room-one',
  two: 'token-of-room-two',
  three: 'token-of-room-three',
  guid: 'token-of-the-guid-room',
};
type Room = keyof typeof ROOMS;
const LICENSE_OF: Record<Room, string> = { one: 'lic-1', two: 'lic-2', three: 'lic-1', guid: 'lic-3' };
const DAY_SECONDS = 86_400;
/** Of lic-1, as imported last. */
let issue = 1;

let world: TestWorld;
let server: RunningServer;

beforeAll(async () => {
  world = await TestWorld.create();
  await world.importLicense({
    licenseId: 'lic-2',
    customer: 'Other',
    product: PRODUCT,
    entitlements: [{ feature: 'studio', seats: 4 }],
  });
  await world.importLicense({
    licenseId: 'lic-3',
    kind: 'guid',
    licenseKey: randomUUID(),
    controlRoom: ROOMS.guid,
    customer: 'Alone',
    product: PRODUCT,
    entitlements: [{ feature: 'studio', seats: 4 }],
  });
  await world.database.as('evergrant_owner', async (client) => {
    for (const room of Object.keys(ROOMS) as Room[]) {
      await client.query('insert into control_room (id, license_id, name) values ($1, $2, $3)', [
        ROOMS[room],
        LICENSE_OF[room],
        room,
      ]);
      await registerTokens(client, [{ name: `room ${room}`, token: ROOM_TOKENS[room], scopes: ['lease', 'read'] }]);
      await client.query('update api_token set control_room = $1 where name = $2', [ROOMS[room], `room ${room}`]);
    }
  });
  server = await world.startGranting({ wrapDatabase, believesRows: true });
});

afterAll(() => world.close());

/** How each Control Room stands, whatever is heard of it: when it is given up is not what these tests are about. */
const states = new Map<string, ControlRoomState>();

/** Counts how often an entitlement was looked up. */
let lookUps = 0;
function wrapDatabase(database: LicenseDatabase): LicenseDatabase {
  return {
    ...database,
    apiTokens: {
      ...database.apiTokens,
      find: async (hashes) => {
        const found = [...(await database.apiTokens.find(hashes))];
        return new Map(
          found.map(([hash, { caller, ...token }]) => {
            const state = states.get(caller.controlRoom ?? '');
            return [hash, { ...token, caller: state ? { ...caller, controlRoomState: state } : caller }];
          }),
        );
      },
    },
    controlRooms: {
      ...database.controlRooms,
      recordHeartbeats: async (controlRooms) => ({
        kind: 'done',
        lsn: '0/0',
        unprotected: false,
        result: { states: new Map(controlRooms.map((room) => [room, states.get(room) ?? 'active'])), changes: [] },
      }),
    },
    entitlements: {
      find: (name) => {
        lookUps += 1;
        return database.entitlements.find(name);
      },
    },
  };
}

const STUDIO = { product: PRODUCT, feature: 'studio', seats: 1, holder: 'a host' };

function checkout(body: object = {}, token: string = TOKENS.client, leaseId: string = randomUUID()) {
  return server.call('PUT', `/v1/leases/${leaseId}`, { ...STUDIO, ...body }, token);
}

async function row(leaseId: string): Promise<Record<string, unknown>> {
  const [found] = await world.database.query(
    `select control_room, granted_by, state, ended_by, ended_because, ended_at is not null as ended
     from lease where id = $1`,
    [leaseId],
  );
  return found!;
}

describe('several licenses with one feature', () => {
  it('require that a checkout names its license', async () => {
    const { status, body } = await checkout();
    expect(status).toBe(422);
    expect(body).toMatchObject({ code: 'license_ambiguous', licenseIds: ['lic-1', 'lic-2', 'lic-3'] });
    expect(body.detail).toContain('lic-1, lic-2, lic-3');
  });

  it('have separate seats', async () => {
    const answer = await checkout({ licenseId: 'lic-2', seats: 4 });
    expect(answer).toMatchObject({ status: 201, body: { licenseId: 'lic-2' } });
    expect(await checkout({ licenseId: 'lic-2' })).toMatchObject({
      status: 409,
      body: { code: 'no_seat_available', seats: 4 },
    });
    expect(await checkout({ licenseId: 'lic-1' })).toMatchObject({ status: 201, body: { licenseId: 'lic-1' } });
    await server.call('DELETE', `/v1/leases/${answer.body.leaseId}`);
  });

  it('are named by the lease token', async () => {
    const { body } = await checkout({ licenseId: 'lic-2' });
    expect(decodeJwt(body.token)).toMatchObject({ pool: { license: 'lic-2', product: PRODUCT, feature: 'studio' } });
    await server.call('DELETE', `/v1/leases/${body.leaseId}`);
  });

  it('need not be named when only one provides the feature', async () => {
    expect(await checkout({ feature: 'runner' })).toMatchObject({ status: 201, body: { licenseId: 'lic-1' } });
  });

  it('grant nothing under an unknown name', async () => {
    expect(await checkout({ licenseId: 'lic-9' })).toMatchObject({
      status: 404,
      body: { code: 'entitlement_not_found' },
    });
  });
});

describe('a token of a Control Room', () => {
  it('acts within its license by default', async () => {
    const { body } = await checkout({}, ROOM_TOKENS.two);
    expect(body).toMatchObject({ licenseId: 'lic-2' });
    expect(decodeJwt(body.token)).toMatchObject({ room: ROOMS.two });
    expect(await row(body.leaseId)).toMatchObject({ control_room: ROOMS.two, granted_by: 'room two', state: 'live' });
    await server.call('DELETE', `/v1/leases/${body.leaseId}`);
  });

  it('is refused another license', async () => {
    expect(await checkout({ licenseId: 'lic-1' }, ROOM_TOKENS.two)).toMatchObject({
      status: 403,
      body: { code: 'wrong_license' },
    });
  });

  it('renews and releases only leases of its Control Room', async () => {
    const { body: lease } = await checkout({}, ROOM_TOKENS.one);
    const path = `/v1/leases/${lease.leaseId}`;
    for (const stranger of [ROOM_TOKENS.two, ROOM_TOKENS.three]) {
      const proof = { token: lease.token };
      for (const answer of [
        await server.call('POST', `${path}/heartbeat`, proof, stranger),
        await server.call('DELETE', path, proof, stranger),
      ]) {
        expect(answer).toMatchObject({ status: 404, body: { code: 'lease_not_found' } });
      }
      expect(await checkout({}, stranger, lease.leaseId)).toMatchObject({
        status: 409,
        body: { code: 'lease_conflict' },
      });
    }
    expect((await server.call('POST', `${path}/heartbeat`, {}, ROOM_TOKENS.one)).status).toBe(200);
    expect((await server.call('DELETE', path, {}, ROOM_TOKENS.one)).status).toBe(204);
    expect(await row(lease.leaseId)).toMatchObject({ ended_by: 'room one', ended_because: 'released', ended: true });
  });

  it('cannot adopt a lease of another Control Room with its lease token', async () => {
    const { body: lease } = await checkout({ feature: 'runner' }, ROOM_TOKENS.one);
    await world.database.query('delete from lease where id = $1', [lease.leaseId]);
    const stranger = await server.call(
      'POST',
      `/v1/leases/${lease.leaseId}/heartbeat`,
      { token: lease.token },
      ROOM_TOKENS.three,
    );
    expect(stranger).toMatchObject({ status: 404, body: { code: 'lease_not_found' } });
    expect(
      (await server.call('DELETE', `/v1/leases/${lease.leaseId}`, { token: lease.token }, ROOM_TOKENS.three)).status,
    ).toBe(404);
    // Its own is recorded as released, with who did it.
    expect(
      (await server.call('DELETE', `/v1/leases/${lease.leaseId}`, { token: lease.token }, ROOM_TOKENS.one)).status,
    ).toBe(204);
    expect(await row(lease.leaseId)).toMatchObject({
      control_room: ROOMS.one,
      ended_by: 'room one',
      state: 'released',
    });
  });

  it('sees only pools and leases of its license', async () => {
    const { body: lease } = await checkout({}, ROOM_TOKENS.one);
    const { body } = await server.call('GET', '/v1/pools', undefined, ROOM_TOKENS.two);
    expect(body.pools.map((pool: { licenseId: string }) => pool.licenseId)).toEqual(['lic-2']);
    const leases = await server.call('GET', '/v1/leases', undefined, ROOM_TOKENS.two);
    expect(leases.body.leases.every((each: { licenseId: string }) => each.licenseId === 'lic-2')).toBe(true);
    expect((await server.call('GET', `/v1/leases/${lease.leaseId}`, undefined, ROOM_TOKENS.two)).status).toBe(404);
    await server.call('DELETE', `/v1/leases/${lease.leaseId}`);
  });
});

describe('a Control Room that is', () => {
  async function stand(state: ControlRoomState): Promise<void> {
    states.set(ROOMS.one, state);
    const code = state === 'active' ? undefined : `control_room_${state}`;
    await eventually(`the Control Room is ${state}`, async () => {
      const answer = await checkout({}, ROOM_TOKENS.one);
      if (answer.status === 201) await server.call('DELETE', `/v1/leases/${answer.body.leaseId}`);
      return answer.body.code === code;
    });
  }

  afterEach(() => stand('active'));

  it('fail-safe keeps its leases and gets no new ones', async () => {
    const { body: lease } = await checkout({}, ROOM_TOKENS.one);
    await stand('fail_safe');
    expect(await checkout({}, ROOM_TOKENS.one)).toMatchObject({
      status: 403,
      body: { code: 'control_room_fail_safe' },
    });
    expect((await checkout({}, ROOM_TOKENS.one, lease.leaseId)).status).toBe(201);
    expect((await server.call('POST', `/v1/leases/${lease.leaseId}/heartbeat`, {}, ROOM_TOKENS.one)).status).toBe(200);
    expect((await server.call('DELETE', `/v1/leases/${lease.leaseId}`, {}, ROOM_TOKENS.one)).status).toBe(204);
  });

  it('suspended cannot renew, but can release', async () => {
    const { body: lease } = await checkout({}, ROOM_TOKENS.one);
    await stand('suspended');
    for (const answer of [
      await checkout({}, ROOM_TOKENS.one),
      await checkout({}, ROOM_TOKENS.one, lease.leaseId),
      await server.call('POST', `/v1/leases/${lease.leaseId}/heartbeat`, {}, ROOM_TOKENS.one),
    ]) {
      expect(answer).toMatchObject({ status: 403, body: { code: 'control_room_suspended' } });
    }
    expect((await server.call('DELETE', `/v1/leases/${lease.leaseId}`, {}, ROOM_TOKENS.one)).status).toBe(204);
  });
});

describe('the validity of a license', () => {
  const fromNow = (seconds: number): string => new Date(Date.now() + seconds * 1000).toISOString();

  async function valid({ from, until }: { from: number; until: number }): Promise<void> {
    await world.importLicense({
      ...LICENSE,
      issue: ++issue,
      validFrom: fromNow(from),
      validUntil: fromNow(until),
    });
  }

  afterAll(() => world.importLicense({ ...LICENSE, issue: ++issue }));

  it('bounds every grant and renewal', async () => {
    await valid({ from: -DAY_SECONDS, until: 100 });
    const { body: lease } = await checkout({ licenseId: 'lic-1' });
    const heartbeat = await server.call('POST', `/v1/leases/${lease.leaseId}/heartbeat`);
    for (const expiresAt of [lease.expiresAt, heartbeat.body.expiresAt]) {
      expect(Date.parse(expiresAt) - Date.now()).toBeLessThanOrEqual(100_000);
      expect(Date.parse(expiresAt) - Date.now()).toBeGreaterThan(80_000);
    }
  });

  it('refuses new grants outside of it, with a detail', async () => {
    await valid({ from: DAY_SECONDS, until: 2 * DAY_SECONDS });
    const early = await checkout({ licenseId: 'lic-1' });
    expect(early).toMatchObject({ status: 403, body: { code: 'license_not_valid', validFrom: expect.any(String) } });
    expect(early.body.detail).toMatch(/^the license is valid from \S+ until \S+, by the clock of the database;/);
    await valid({ from: -2 * DAY_SECONDS, until: DAY_SECONDS });
    const { body: lease } = await checkout({ licenseId: 'lic-1' });
    await valid({ from: -2 * DAY_SECONDS, until: -DAY_SECONDS });
    expect(await checkout({ licenseId: 'lic-1' })).toMatchObject({ status: 403, body: { code: 'license_not_valid' } });
    // The lease has ended with its license.
    expect(await server.call('POST', `/v1/leases/${lease.leaseId}/heartbeat`)).toMatchObject({
      status: 410,
      body: { code: 'lease_expired' },
    });
    expect((await server.call('DELETE', `/v1/leases/${lease.leaseId}`)).status).toBe(204);
  });
});

it('a license of kind guid: grants to its Control Room only', async () => {
  expect(await checkout({ licenseId: 'lic-3' })).toMatchObject({ status: 403, body: { code: 'wrong_control_room' } });
  expect(await checkout({}, ROOM_TOKENS.guid)).toMatchObject({ status: 201, body: { licenseId: 'lic-3' } });
});

it('entitlement cache: an import is noticed at the next grant with one lookup', async () => {
  await checkout({ feature: 'runner' });
  lookUps = 0;
  const entitlements = LICENSE.entitlements.map((each) => ({ ...each, seats: each.seats + 1 }));
  await world.importLicense({ ...LICENSE, entitlements, issue: ++issue });
  const answers = await Promise.all(Array.from({ length: 20 }, () => checkout({ feature: 'runner' })));
  expect(new Set(answers.map((answer) => answer.status))).toEqual(new Set([201]));
  expect(lookUps).toBe(1);
});

it('lease row: records who ended it and why', async () => {
  const { body: lease } = await checkout({ feature: 'runner' });
  await world.database.query(`update lease set expires_at = clock_timestamp() where id = $1`, [lease.leaseId]);
  await eventually('it has expired', async () => (await row(lease.leaseId)).state === 'expired');
  expect(await row(lease.leaseId)).toMatchObject({ ended_by: server.name, ended_because: 'expired' });
  const shown = await server.call('GET', `/v1/leases/${lease.leaseId}`, undefined, TOKENS.reader);
  expect(shown.body).toMatchObject({ grantedBy: 'client', endedBy: server.name, endedBecause: 'expired' });
});

it('control_room_use: counts the seats of each Control Room', async () => {
  const used = async () =>
    (
      await world.database.query<{ seats: number }>(
        'select coalesce(sum(seats_taken), 0)::int as seats from control_room_use where control_room = $1',
        [ROOMS.three],
      )
    )[0]?.seats;
  const { body: lease } = await checkout({ feature: 'runner', seats: 3 }, ROOM_TOKENS.three);
  await checkout({ feature: 'runner', seats: 2 }, ROOM_TOKENS.three);
  expect(await used()).toBe(5);
  await server.call('DELETE', `/v1/leases/${lease.leaseId}`, {}, ROOM_TOKENS.three);
  expect(await used()).toBe(2);
});
