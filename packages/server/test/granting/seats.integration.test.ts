import { randomUUID } from 'node:crypto';
import { eventually } from '@evergrant/test-support/eventually';
import { PRODUCT, type RunningServer, TestWorld, TOKENS } from '@evergrant/test-support/server/test-world';
import { registerTokens } from '../../src/api-tokens/sql/register-tokens';

/** Overdraft, identity and reservations, through the whole server. */
const ROOM_TOKENS = { a: 'token-of-room-a', b: 'token-of-room-b', c: 'token-of-room-c' };
type Room = keyof typeof ROOM_TOKENS;
const ROOMS: Record<Room, string> = { a: randomUUID(), b: randomUUID(), c: randomUUID() };

let license = {
  licenseId: 'lic-1',
  issue: 1,
  customer: 'Acme',
  product: PRODUCT,
  entitlements: [{ feature: 'runner', seats: 1_000, overdraft: 0 }],
};
let world: TestWorld;
let servers: RunningServer[];

beforeAll(async () => {
  world = await TestWorld.create(license);
  await world.database.as('evergrant_owner', async (client) => {
    for (const room of Object.keys(ROOMS) as Room[]) {
      await client.query('insert into control_room (id, license_id, name, group_name) values ($1, $2, $3, $4)', [
        ROOMS[room],
        'lic-1',
        room,
        room === 'c' ? null : 'both',
      ]);
      await registerTokens(client, [{ name: room, token: ROOM_TOKENS[room], scopes: ['lease'] }]);
      await client.query('update api_token set control_room = $1 where name = $2', [ROOMS[room], room]);
    }
  });
  servers = await Promise.all([1, 2].map((n) => world.startGranting({ name: `oregon/app-${n}` })));
});

afterAll(() => world.close());

/** A separate pool for a test: the license's next issue has one feature more. */
async function pool(seats: number, { overdraft = 0 } = {}): Promise<string> {
  const { issue, entitlements } = license;
  const feature = `feature-${issue}`;
  license = { ...license, issue: issue + 1, entitlements: [...entitlements, { feature, seats, overdraft }] };
  await world.importLicense(license);
  return feature;
}

function checkout(feature: string, body: object = {}, token: string = TOKENS.client, server = servers[0]!) {
  const request = { product: PRODUCT, feature, seats: 1, holder: 'a host', ...body };
  return server.call('PUT', `/v1/leases/${randomUUID()}`, request, token);
}

async function reserve(feature: string, reservation: { room?: Room; group?: string; seats: number }): Promise<void> {
  await world.database.query(
    `insert into reservation (pool_id, control_room, group_name, seats, source)
     select id, $2, $3, $4, 'administrator' from pool where feature = $1`,
    [feature, reservation.room ? ROOMS[reservation.room] : null, reservation.group ?? null, reservation.seats],
  );
}

function announcements(): string[] {
  return servers.flatMap((server) => server.logLines).map((line) => String(line.announce));
}

describe('overdraft', () => {
  it('lends seats beyond those sold, and says so of each', async () => {
    const feature = await pool(2, { overdraft: 1 });
    const within = await checkout(feature, { seats: 2 });
    expect(within.status).toBe(201);
    expect(within.body).not.toHaveProperty('overdraft');
    const beyond = await checkout(feature);
    expect(beyond).toMatchObject({ status: 201, body: { overdraft: true } });
    expect(await checkout(feature)).toMatchObject({ status: 409, body: { code: 'no_seat_available', seatsFree: 0 } });
    const request = { product: PRODUCT, feature, seats: 1, holder: 'a host' };
    const again = await servers[1]!.call('PUT', `/v1/leases/${beyond.body.leaseId}`, request);
    expect(again).toMatchObject({ status: 201, body: { overdraft: true } });
    const shown = await servers[0]!.call('GET', '/v1/pools', undefined, TOKENS.reader);
    expect(shown.body.pools.find((each: { feature: string }) => each.feature === feature)).toMatchObject({
      seats: 2,
      overdraft: 1,
      seatsTaken: 3,
      seatsFree: 0,
    });
  });

  it('is logged once when a pool enters it and once when it ends, by either server', async () => {
    const feature = await pool(1, { overdraft: 2 });
    const told = (what: string) => announcements().filter((line) => line.startsWith(`${PRODUCT}/${feature} ${what}`));
    await checkout(feature);
    const { leaseId } = (await checkout(feature)).body;
    await eventually('it is logged', () => told('is in overdraft').length > 0);
    await servers[1]!.call('DELETE', `/v1/leases/${leaseId}`);
    await eventually('its end is logged', () => told('is back within its 1 seats').length > 0);
    expect([told('is in overdraft').length, told('is back within').length]).toEqual([1, 1]);
    const line = servers
      .flatMap((server) => server.logLines)
      .find((each) => String(each.announce).startsWith(`${PRODUCT}/${feature} is in`));
    expect(line).toMatchObject({ alert: 'pool-overdrawn', seatsTaken: 2, seats: 1, overdraft: 2 });
  });

  it('is counted', async () => {
    const feature = await pool(1, { overdraft: 1 });
    await checkout(feature, { seats: 2 });
    const { body } = await servers[0]!.call('GET', '/metrics', undefined, null);
    expect(body).toContain(
      `evergrant_overdraft_grants_total{license="lic-1",product="${PRODUCT}",feature="${feature}"} 1`,
    );
  });
});

describe('an installation that restarts', () => {
  it('gets its live lease back under the id that it had, and burns no seat', async () => {
    const feature = await pool(1);
    const first = await checkout(feature, { identity: 'container-7', holder: 'before' });
    const again = await checkout(feature, { identity: 'container-7', holder: 'after' }, TOKENS.client, servers[1]);
    expect(again).toMatchObject({ status: 201, body: { leaseId: first.body.leaseId } });
    expect(
      (await servers[0]!.call('POST', `/v1/leases/${first.body.leaseId}/heartbeat`, { token: again.body.token }))
        .status,
    ).toBe(200);
    expect(await world.counts(feature)).toMatchObject({ live: 1, taken: 1 });
  });

  it('many times at once is one lease', async () => {
    const feature = await pool(1);
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, n) => checkout(feature, { identity: 'one' }, TOKENS.client, servers[n % 2])),
    );
    expect(new Set(answers.map((answer) => answer.body.leaseId)).size).toBe(1);
    expect(await world.counts(feature)).toMatchObject({ live: 1 });
  });

  it('gets a new one when the old one has ended, or was of other seats, or of another Control Room', async () => {
    const feature = await pool(9);
    const identity = 'container-8';
    const first = await checkout(feature, { identity });
    await servers[0]!.call('DELETE', `/v1/leases/${first.body.leaseId}`);
    const answers = [
      await checkout(feature, { identity }),
      await checkout(feature, { identity, seats: 2 }),
      await checkout(feature, { identity }, ROOM_TOKENS.a),
      await checkout(feature, { identity }, ROOM_TOKENS.b),
    ];
    const ids = new Set([first, ...answers].map((answer) => answer.body.leaseId));
    expect(ids.size).toBe(5);
    expect(await world.counts(feature)).toMatchObject({ live: 5 });
  });
});

describe('an installation whose earlier process still runs, as in a rolling update', () => {
  const release = (leaseId: string, token: string | undefined) =>
    servers[0]!.call('DELETE', `/v1/leases/${leaseId}`, token === undefined ? undefined : { token });
  const heartbeat = (leaseId: string, token: string) =>
    servers[1]!.call('POST', `/v1/leases/${leaseId}/heartbeat`, { token });

  async function handedOver(identity: string) {
    const feature = await pool(1);
    const before = await checkout(feature, { identity });
    const after = await checkout(feature, { identity }, TOKENS.client, servers[1]);
    expect(after.body.leaseId).toBe(before.body.leaseId);
    return { feature, leaseId: before.body.leaseId as string, before: before.body.token, after: after.body.token };
  }

  it('keeps the lease of the later process when the earlier one releases it', async () => {
    const { feature, leaseId, before, after } = await handedOver('web-1');
    expect((await release(leaseId, before)).status).toBe(204);
    expect(await world.counts(feature)).toMatchObject({ live: 1, taken: 1 });
    expect((await heartbeat(leaseId, after)).status).toBe(200);
    expect((await release(leaseId, after)).status).toBe(204);
    expect(await world.counts(feature)).toMatchObject({ live: 0, taken: 0 });
  });

  it('keeps it also when the earlier process has renewed it since', async () => {
    const { feature, leaseId, before, after } = await handedOver('web-2');
    const renewed = await heartbeat(leaseId, before);
    expect(renewed.status).toBe(200);
    await release(leaseId, renewed.body.token);
    expect(await world.counts(feature)).toMatchObject({ live: 1 });
    const later = await heartbeat(leaseId, after);
    await release(leaseId, later.body.token);
    expect(await world.counts(feature)).toMatchObject({ live: 0 });
  });

  it('keeps it when the earlier process repeats its checkout and then releases it', async () => {
    const feature = await pool(1);
    const leaseId = randomUUID();
    const path = `/v1/leases/${leaseId}`;
    const body = { product: PRODUCT, feature, seats: 1, holder: 'pod', identity: 'web-3' };
    await servers[0]!.call('PUT', path, body);
    await checkout(feature, { identity: 'web-3' });
    const repeated = await servers[0]!.call('PUT', path, body);
    expect(repeated.status).toBe(201);
    await release(leaseId, repeated.body.token);
    expect(await world.counts(feature)).toMatchObject({ live: 1 });
  });

  it('ends it when a release presents a reason', async () => {
    const { feature, leaseId, before } = await handedOver('web-4');
    const forced = { token: before, reason: 'the host is gone' };
    expect((await servers[0]!.call('DELETE', `/v1/leases/${leaseId}`, forced, TOKENS.admin)).status).toBe(204);
    expect(await world.counts(feature)).toMatchObject({ live: 0 });
  });

  it('keeps it when the earlier process gives up a checkout that was never answered', async () => {
    const { feature, leaseId, after } = await handedOver('web-5');
    expect((await release(leaseId, undefined)).status).toBe(204);
    expect(await world.counts(feature)).toMatchObject({ live: 1 });
    expect((await release(leaseId, after)).status).toBe(204);
    expect(await world.counts(feature)).toMatchObject({ live: 0 });
  });

  it('keeps the lease of the later of two checkouts in one batch', async () => {
    const feature = await pool(1);
    const [first, second] = await Promise.all([
      checkout(feature, { identity: 'web-6' }),
      checkout(feature, { identity: 'web-6' }),
    ]);
    expect(first!.body.leaseId).toBe(second!.body.leaseId);
    await release(first!.body.leaseId, undefined);
    expect(await world.counts(feature)).toMatchObject({ live: 1, taken: 1 });
  });
});

describe('reservations', () => {
  it('keep seats for one Control Room', async () => {
    const feature = await pool(3);
    await reserve(feature, { room: 'a', seats: 2 });
    expect((await checkout(feature, {}, ROOM_TOKENS.b)).status).toBe(201);
    for (const token of [ROOM_TOKENS.b, ROOM_TOKENS.c, TOKENS.client]) {
      expect(await checkout(feature, {}, token)).toMatchObject({ status: 409, body: { seatsFree: 0 } });
    }
    expect((await checkout(feature, { seats: 2 }, ROOM_TOKENS.a)).status).toBe(201);
  });

  it('keep seats for a group', async () => {
    const feature = await pool(4);
    await reserve(feature, { group: 'both', seats: 3 });
    expect((await checkout(feature, { seats: 2 }, ROOM_TOKENS.c)).status).toBe(409);
    expect((await checkout(feature, {}, ROOM_TOKENS.c)).status).toBe(201);
    expect((await checkout(feature, {}, ROOM_TOKENS.a)).status).toBe(201);
    expect((await checkout(feature, { seats: 2 }, ROOM_TOKENS.b)).status).toBe(201);
    expect(await world.counts(feature)).toMatchObject({ live: 4 });
  });

  it('given back are reserved again', async () => {
    const feature = await pool(1);
    await reserve(feature, { room: 'a', seats: 1 });
    const { body } = await checkout(feature, {}, ROOM_TOKENS.a);
    await servers[0]!.call('DELETE', `/v1/leases/${body.leaseId}`, {}, ROOM_TOKENS.a);
    expect((await checkout(feature, {}, ROOM_TOKENS.b)).status).toBe(409);
    expect((await checkout(feature, {}, ROOM_TOKENS.a)).status).toBe(201);
  });

  it('hold against hundreds of checkouts at once', async () => {
    const feature = await pool(20);
    await reserve(feature, { room: 'a', seats: 5 });
    await reserve(feature, { group: 'both', seats: 4 });
    const answers = await Promise.all(
      Array.from({ length: 300 }, (_, n) => {
        const room = (['b', 'c'] as const)[n % 2]!;
        return checkout(feature, {}, ROOM_TOKENS[room], servers[n % 3 ? 0 : 1]);
      }),
    );
    const granted = answers.filter((answer) => answer.status === 201).length;
    expect(granted).toBe(15);
    expect((await checkout(feature, { seats: 5 }, ROOM_TOKENS.a)).status).toBe(201);
    expect(await world.counts(feature)).toMatchObject({ live: 20, taken: 20 });
  });
});
