import { randomUUID } from 'node:crypto';
import { eventually } from '@evergrant/test-support/eventually';
import { giveLicenseKey, newRoom, register, type TestRoom } from '@evergrant/test-support/server/control-rooms';
import { LICENSE, PRODUCT, type RunningServer, TestWorld, TOKENS } from '@evergrant/test-support/server/test-world';
import type { StateChange } from '../../src/control-rooms/store';
import type { LicenseDatabase } from '../../src/platform/postgres/license-database';
import { connectLicenseDatabase } from '../../src/platform/postgres/license-database';

let world: TestWorld;
let licenseKey: string;

beforeEach(async () => {
  world = await TestWorld.create();
  licenseKey = await giveLicenseKey(world, { policy: { graceSeconds: 3_600, suspendAfterSeconds: 7_200 } });
});

afterEach(() => world.close());

/** Makes it as if the Control TestRoom had been silent for so long, while somebody listened. */
const silence = (room: TestRoom, seconds: number) =>
  world.database.query(
    `update control_room set silent_since = clock_timestamp() - make_interval(secs => $2),
       last_heartbeat_at = clock_timestamp() - make_interval(secs => $2) where id = $1`,
    [room.guid, seconds],
  );

/** Makes it as if no license server had watched for so long. */
const absence = (seconds: number) =>
  world.database.query(`update control_room_watch set watched_at = clock_timestamp() - make_interval(secs => $1)`, [
    seconds,
  ]);

async function standing(room: TestRoom): Promise<{ state: string; because: string; silent: number }> {
  const rows = await world.database.query<{ state: string; because: string; silent: number }>(
    `select state, state_because as because, extract(epoch from clock_timestamp() - silent_since)::int as silent
     from control_room where id = $1`,
    [room.guid],
  );
  return rows[0]!;
}

const becomes = (room: TestRoom, state: string) =>
  eventually(`it is ${state}`, async () => (await standing(room)).state === state);

/** A sign of life that was not written down yet may end the silence once. */
const fallsSilent = async (room: TestRoom, seconds: number, { until }: { until: string }) =>
  eventually(`it is ${until}`, async () => {
    if ((await standing(room)).silent < seconds) await silence(room, seconds);
    return (await standing(room)).state === until;
  });

async function registered(server: RunningServer): Promise<TestRoom> {
  const room = newRoom();
  expect((await register(server, room, licenseKey)).status).toBe(201);
  return room;
}

const checkout = (server: RunningServer, room: TestRoom, seats = 1, feature = 'studio') =>
  server.call('PUT', `/v1/leases/${randomUUID()}`, { product: PRODUCT, feature, seats, holder: 'alice' }, room.token);

/** The watch of one server, asked when the test wants it. */
async function watching(work: (database: LicenseDatabase) => Promise<void>): Promise<void> {
  const database = connectLicenseDatabase(world.database.address('evergrant_server'), {
    server: 'oregon/test',
    followerName: 'virginia_follower',
  });
  try {
    await work(database);
  } finally {
    await database.close();
  }
}

async function watchOnce(
  database: LicenseDatabase,
): Promise<{ forgivenSeconds: number; changes: readonly StateChange[] }> {
  const outcome = await database.controlRooms.sweepStates({ epoch: 1, region: 'oregon' });
  if (outcome.kind !== 'done') throw new Error(`not watched: ${outcome.kind}`);
  return outcome.result;
}

describe('a silent Control Room', () => {
  it('becomes fail-safe, then suspended, and active again with its first request', async () => {
    const server = await world.startGranting();
    const room = await registered(server);
    await fallsSilent(room, 3_601, { until: 'fail_safe' });
    expect(await standing(room)).toMatchObject({ because: 'no_heartbeat' });
    await fallsSilent(room, 7_201, { until: 'suspended' });
    // What it calls first finds it active already.
    expect((await checkout(server, room)).status).toBe(201);
    expect(await standing(room)).toMatchObject({ state: 'active', because: 'heard_again' });
    expect(server.logLines.filter(({ audit }) => audit === 'control_room_moved').map(({ to }) => to)).toEqual([
      'fail_safe',
      'suspended',
      'active',
    ]);
  });

  it('gets its state and the next heartbeat time in the reply to a heartbeat', async () => {
    const server = await world.startGranting();
    const room = await registered(server);
    const beat = () => server.call('POST', `/v1/control-rooms/${room.guid}/heartbeat`, {}, room.token);
    expect(await beat()).toMatchObject({
      status: 200,
      body: { controlRoom: room.guid, state: 'active', heartbeatAfter: 300 },
    });
    await fallsSilent(room, 3_601, { until: 'fail_safe' });
    expect((await beat()).body).toMatchObject({ state: 'active' });
  });

  it('sends heartbeats only for itself, and to a granting server', async () => {
    const server = await world.startGranting();
    const [room, neighbour] = [await registered(server), await registered(server)];
    const beat = (token: string, any = server) =>
      any.call('POST', `/v1/control-rooms/${room.guid}/heartbeat`, {}, token);
    expect((await beat(neighbour.token)).status).toBe(404);
    expect((await beat(TOKENS.client)).status).toBe(404);
    const standby = await world.start({ region: 'virginia' });
    expect(await beat(room.token, standby)).toMatchObject({ status: 503, body: { code: 'not_granting' } });
  });
});

describe('recorded heartbeats', () => {
  it('are written at most once a minute per Control Room', async () => {
    const server = await world.startGranting();
    const room = await registered(server);
    await silence(room, 100);
    for (let n = 0; n < 20; n++) await server.call('GET', '/v1/pools', undefined, room.token);
    await eventually('it is written', async () => (await standing(room)).silent < 90);
    const [before] = await world.database.query(`select xmin::text, last_heartbeat_at from control_room`);
    for (let n = 0; n < 20; n++) await server.call('GET', '/v1/pools', undefined, room.token);
    await server.stop();
    expect(await world.database.query(`select xmin::text, last_heartbeat_at from control_room`)).toEqual([before]);
  });

  it('are written before a server stops', async () => {
    const server = await world.startGranting();
    const room = await registered(server);
    await silence(room, 100);
    await server.call('GET', '/v1/pools', undefined, room.token);
    await server.stop();
    expect((await standing(room)).silent).toBeLessThan(90);
  });
});

describe('a gap between sweeps', () => {
  it('does not count as silence, so that an outage of all servers changes no state', async () => {
    const server = await world.startGranting();
    const [quiet, quieter] = [await registered(server), await registered(server)];
    await server.stop();
    // Three days ago, when the outage began, one had just been heard and one was silent for half its grace.
    await silence(quiet, 3 * 86_400);
    await silence(quieter, 3 * 86_400 + 1_800);
    await absence(3 * 86_400);
    await watching(async (database) => {
      const { forgivenSeconds, changes } = await watchOnce(database);
      expect(Math.round(forgivenSeconds)).toBe(3 * 86_400);
      expect(changes).toEqual([]);
      expect((await standing(quiet)).silent).toBeLessThan(60);
      expect((await standing(quieter)).silent).toBeGreaterThanOrEqual(1_799);
      expect((await standing(quieter)).silent).toBeLessThan(1_860);
      // From here on somebody listens, and silence counts again.
      await silence(quieter, 3_601);
      expect((await watchOnce(database)).changes).toMatchObject([{ controlRoom: quieter.guid, to: 'fail_safe' }]);
    });
  });

  it('covers heartbeats that were lost with a region', async () => {
    const server = await world.startGranting();
    const room = await registered(server);
    await server.stop();
    // What Virginia has: the last watch and the last heartbeat that reached it, an hour and more before it took over.
    await silence(room, 3_700);
    await absence(3_695);
    await watching(async (database) => {
      expect((await watchOnce(database)).changes).toEqual([]);
      expect((await standing(room)).silent).toBeLessThan(60);
    });
  });

  it('is forgiven only for its own duration', async () => {
    const server = await world.startGranting();
    await server.stop();
    await absence(86_400);
    const again = await world.startGranting({ name: 'oregon/app-2' });
    const room = await registered(again);
    await eventually('it was watched', async () => {
      const [row] = await world.database.query<{ fresh: boolean }>(
        `select watched_at > clock_timestamp() - interval '9 s' as fresh from control_room_watch`,
      );
      return row?.fresh;
    });
    const { silent } = await standing(room);
    expect(silent).toBeGreaterThanOrEqual(0);
    expect(silent).toBeLessThan(30);
  });

  it('is not assumed between consecutive sweeps', async () => {
    const server = await world.startGranting();
    const room = await registered(server);
    await server.stop();
    await absence(0);
    await silence(room, 1_000);
    await watching(async (database) => {
      expect((await watchOnce(database)).forgivenSeconds).toBe(0);
      expect((await watchOnce(database)).forgivenSeconds).toBe(0);
    });
    expect((await standing(room)).silent).toBeGreaterThanOrEqual(1_000);
  });

  it('is not closed by a server that does not grant', async () => {
    const server = await world.startGranting();
    await registered(server);
    await server.stop();
    await watching(async (database) => {
      expect(await database.controlRooms.sweepStates({ epoch: 1, region: 'virginia' })).toMatchObject({
        kind: 'not_granting',
      });
      expect(await database.controlRooms.sweepStates({ epoch: 2, region: 'oregon' })).toMatchObject({
        kind: 'not_granting',
      });
    });
  });
});

describe('an oversubscribed Control Room', () => {
  /** Five of the ten seats turn out to be overdraft. */
  async function overdraft(): Promise<void> {
    const entitlements = LICENSE.entitlements.map((each) =>
      each.feature === 'studio' ? { ...each, seats: 5, overdraft: 5 } : each,
    );
    const policy = { graceSeconds: 3_600, suspendAfterSeconds: 7_200 };
    await world.importLicense({ ...LICENSE, issue: 1_000, licenseKey, policy, entitlements });
  }

  it('becomes fail-safe after its grace, keeps its seats, and gets no more', async () => {
    const server = await world.startGranting();
    const [greedy, modest] = [await registered(server), await registered(server)];
    await world.database.query(
      `insert into reservation (pool_id, control_room, seats, source)
       select id, $1, 2, 'administrator' from pool where feature = 'studio'`,
      [modest.guid],
    );
    const held = await checkout(server, greedy, 4);
    expect(held.status).toBe(201);
    expect((await checkout(server, modest, 2)).status).toBe(201);
    await overdraft();
    await eventually('it is noticed', async () => {
      const rows = await world.database.query<{ id: string }>(
        'select id from control_room where oversubscribed_since is not null',
      );
      return rows.length === 1 && rows[0]?.id === greedy.guid;
    });
    await world.database.query(
      `update control_room set oversubscribed_since = clock_timestamp() - interval '3601 s' where id = $1`,
      [greedy.guid],
    );
    await becomes(greedy, 'fail_safe');
    expect(await standing(greedy)).toMatchObject({ because: 'oversubscribed' });
    server.forgetTokens();
    expect(await checkout(server, greedy)).toMatchObject({ status: 403, body: { code: 'control_room_fail_safe' } });
    expect(await standing(modest)).toMatchObject({ state: 'active' });
    const renewed = await server.call('POST', `/v1/leases/${held.body.leaseId}/heartbeat`, {}, greedy.token);
    expect(renewed.status).toBe(200);
    // However often it calls: what it holds is the matter.
    await server.call('POST', `/v1/control-rooms/${greedy.guid}/heartbeat`, {}, greedy.token);
    expect(await standing(greedy)).toMatchObject({ state: 'fail_safe' });

    expect((await server.call('DELETE', `/v1/leases/${held.body.leaseId}`, {}, greedy.token)).status).toBe(204);
    await becomes(greedy, 'active');
    expect(await standing(greedy)).toMatchObject({ because: 'within_seats_again' });
    server.forgetTokens();
    expect((await checkout(server, greedy)).status).toBe(201);
  });
});

it('sweepStates: selects exactly the Control Rooms that STATE_TRANSITIONS would change', async () => {
  const server = await world.startGranting();
  await server.stop();
  await absence(0);
  const cases: { room: TestRoom; state: string; seconds: number }[] = [];
  for (const state of ['active', 'fail_safe', 'suspended']) {
    for (const seconds of [0, 3_590, 3_610, 7_190, 7_210]) cases.push({ room: newRoom(), state, seconds });
  }
  for (const { room, state, seconds } of cases) {
    await world.database.query(
      `insert into control_room (id, license_id, name, state, silent_since)
       values ($1, 'lic-1', $2, $2, clock_timestamp() - make_interval(secs => $3))`,
      [room.guid, state, seconds],
    );
  }
  const expected: Record<string, Record<number, string>> = {
    active: { 3610: 'fail_safe', 7190: 'fail_safe', 7210: 'fail_safe' },
    fail_safe: { 0: 'active', 3590: 'active', 7210: 'suspended' },
    suspended: { 0: 'active', 3590: 'active', 3610: 'fail_safe', 7190: 'fail_safe' },
  };
  await watching(async (database) => {
    const { changes } = await watchOnce(database);
    const moved = new Map(changes.map(({ controlRoom, to }) => [controlRoom, to]));
    for (const { room, state, seconds } of cases) {
      expect([state, seconds, moved.get(room.guid)]).toEqual([state, seconds, expected[state]?.[seconds]]);
    }
  });
});
