import { randomUUID } from 'node:crypto';
import { eventually } from '@evergrant/test-support/eventually';
import { type RunningServer, TestWorld } from '@evergrant/test-support/server/test-world';
import {
  CLOUD,
  checkout,
  heartbeat,
  inControl,
  REDUNDANT,
  SERVERS,
  silence,
  TRIAD_PRODUCT,
} from '@evergrant/test-support/server/triads';

jest.setTimeout(120_000);

let world: TestWorld;
let servers: RunningServer[];

beforeEach(async () => {
  world = await TestWorld.create(REDUNDANT, CLOUD);
  servers = await Promise.all(SERVERS.map((name) => world.startGranting({ name })));
});

afterEach(() => world.close());

const isIn = (server: RunningServer): boolean => inControl([server]).length === 1;

async function oneInControl(among: readonly RunningServer[] = servers): Promise<RunningServer> {
  return eventually('one server is in control', () => inControl(among)[0], { deadlineMs: 20_000 });
}

const others = (...without: RunningServer[]): RunningServer[] => servers.filter((server) => !without.includes(server));

it('triad: the preferred server acquires control and grants alone', async () => {
  const first = await oneInControl();
  expect(first.name).toBe('oregon/app-1');
  expect((await checkout(first, 6)).status).toBe(201);
  for (const other of others(first)) {
    const refused = await checkout(other);
    expect(refused).toMatchObject({
      status: 503,
      body: { code: 'not_granting', reason: 'not_in_control', inControl: first.name, address: first.address },
    });
    expect(refused.headers['retry-after']).toBeDefined();
  }
  expect((await checkout(first, 5)).body).toMatchObject({ code: 'no_seat_available', seatsFree: 4 });
});

it('triad: a server that the license does not name refuses', async () => {
  await oneInControl();
  const fourth = await world.startGranting({ name: 'oregon/app-4' });
  const refused = await checkout(fourth);
  expect(refused).toMatchObject({ status: 421, body: { code: 'license_wrong_server', servers: [...SERVERS] } });
  expect(await world.database.query('select from server_presence where server = $1', ['oregon/app-4'])).toEqual([]);
  await eventually('it says so once', () =>
    fourth.logLines.some(({ announce }) =>
      String(announce).startsWith('server oregon/app-4 is not in triad oregon/app-1,'),
    ),
  );
  expect(fourth.logLines.filter(({ alert }) => alert !== undefined)).toEqual([]);
});

it('triad: a resignation passes control on at once, and leases are kept', async () => {
  const first = await oneInControl();
  const held = await checkout(first, 2);
  await first.stop();
  const second = await oneInControl(others(first));
  expect(second.name).toBe(others(first)[0]?.name);
  expect(await heartbeat(second, held.body.leaseId)).toMatchObject({ status: 200, body: { servedBy: second.name } });
});

it('triad: without a quorum nothing is granted, renewed or ended', async () => {
  const first = await oneInControl();
  const { leaseId } = (await checkout(first, 2)).body;
  await Promise.all(others(first).map((server) => server.stop()));
  await eventually('there is no quorum', async () => (await checkout(first)).body.code === 'no_quorum');
  const refused = await heartbeat(first, leaseId);
  expect(refused).toMatchObject({
    status: 503,
    body: { code: 'no_quorum', present: [first.name], servers: [...SERVERS] },
  });
  expect(refused.headers['retry-after']).toBeDefined();

  // The lease's time passes while nobody may renew it; one of another kind, that passed with it, is ended.
  const cloudy = randomUUID();
  const body = { product: 'Cloudy', feature: 'studio', seats: 1, holder: 'room-1' };
  expect((await first.call('PUT', `/v1/leases/${cloudy}`, body)).status).toBe(201);
  await world.database.query(`update lease set expires_at = clock_timestamp() - interval '1 s'`);
  const stateOf = async (id: string) =>
    (await world.database.query<{ state: string }>('select state from lease where id = $1', [id]))[0]?.state;
  await eventually('the sweeper has come by', async () => (await stateOf(cloudy)) === 'expired');
  expect(await stateOf(leaseId)).toBe('live');

  const again = await world.startGranting({ name: 'oregon/app-2' });
  await oneInControl([first, again]);
  const renewed = await eventually('it is renewed', async () => {
    for (const server of [first, again]) {
      const answer = await heartbeat(server, leaseId);
      if (answer.status === 200) return answer;
      expect(answer.status).toBe(503);
    }
    return undefined;
  });
  expect(renewed.body.leaseId).toBe(leaseId);
  expect(await world.counts('triad-studio')).toMatchObject({ live: 2, taken: 2 });
});

it('triad: two servers suffice although the preferred one was never present', async () => {
  await world.close();
  world = await TestWorld.create(REDUNDANT);
  servers = await Promise.all(SERVERS.slice(1).map((name) => world.startGranting({ name })));
  expect((await oneInControl()).name).toBe('oregon/app-2');
  expect((await checkout(servers[0]!)).status).toBe(201);
});

it('triad: any server accepts a release', async () => {
  const first = await oneInControl();
  const { leaseId } = (await checkout(first, 2)).body;
  expect((await others(first)[0]!.call('DELETE', `/v1/leases/${leaseId}`)).status).toBe(204);
  expect(await world.counts('triad-studio')).toMatchObject({ live: 0, taken: 0 });
});

it('triad: a server whose term was superseded grants nothing', async () => {
  const first = await oneInControl();
  const { name: taker } = others(first)[0]!;
  // Between two beats, as a stop of the process would have it: what it believes is still fresh.
  await world.database.query('update triad set term = term + 1, in_control = $1, renewed_at = clock_timestamp()', [
    taker,
  ]);
  expect(isIn(first)).toBe(true);
  expect((await checkout(first)).body).toMatchObject({ code: 'not_granting', inControl: taker });
});

it('triad: a quorum lost since the last heartbeat stops grants', async () => {
  const first = await oneInControl();
  await Promise.all(others(first).map((server) => server.stop()));
  await silence(
    world,
    others(first).map(({ name }) => name),
  );
  expect((await checkout(first)).body.code).toBe('no_quorum');
});

it('triad: does not affect licenses of other kinds', async () => {
  const first = await oneInControl();
  await Promise.all(others(first).map((server) => server.stop()));
  await eventually('there is no quorum', async () => (await checkout(first)).body.code === 'no_quorum');
  const body = { product: 'Cloudy', feature: 'studio', seats: 1, holder: 'room-1' };
  expect((await first.call('PUT', `/v1/leases/${randomUUID()}`, body)).status).toBe(201);
});

it('triad: queue places survive a vacancy of control', async () => {
  const first = await oneInControl();
  await checkout(first, 10);
  const [early, late] = [randomUUID(), randomUUID()];
  const body = { product: TRIAD_PRODUCT, feature: 'triad-studio', seats: 1, holder: 'room-2', queue: true };
  for (const leaseId of [early, late])
    expect((await first.call('PUT', `/v1/leases/${leaseId}`, body)).status).toBe(202);
  await first.stop();
  await world.database.query(`update queue_place set expires_at = clock_timestamp() - interval '1 s'`);
  const second = await oneInControl(others(first));
  const asked = await second.call('PUT', `/v1/leases/${late}`, body);
  expect(asked).toMatchObject({ status: 202, body: { position: 2 } });
});

it('triad: status and metrics show presence and control', async () => {
  const first = await oneInControl();
  await servers[2]!.stop();
  const expected = {
    triads: [
      {
        servers: [
          { server: 'oregon/app-1', view: 'present' },
          { server: 'oregon/app-2', view: 'present' },
          { server: 'oregon/app-3', view: 'absent' },
        ],
        quorum: 'won',
        inControl: first.name,
        term: 1,
      },
    ],
  };
  const second = servers[1]!;
  await eventually('the second server sees it', async () => {
    const { triads } = (await second.call('GET', '/v1/status', undefined, null)).body;
    return JSON.stringify(triads) === JSON.stringify(expected.triads);
  });
  const text = (await first.call('GET', '/metrics', undefined, null)).body as string;
  const triad = `triad="${SERVERS.join(',')}"`;
  for (const line of [`evergrant_triad_in_control{${triad}} 1`, `evergrant_triad_term{${triad}} 1`])
    expect(text).toContain(line);
  await eventually('the loss of a server is logged', () =>
    first.logLines.some(({ alert }) => alert === 'triad-degraded'),
  );
});

it('triad: each acquisition is an audit event', async () => {
  const first = await oneInControl();
  await first.stop();
  await oneInControl(others(first));
  const events = await world.database.query(
    `select kind, actor, body ->> 'term' as term from audit_event where kind like 'control_%' order by seq`,
  );
  expect(events).toEqual([
    { kind: 'control_taken', actor: 'oregon/app-1', term: '1' },
    { kind: 'control_given_up', actor: 'oregon/app-1', term: '1' },
    { kind: 'control_taken', actor: 'oregon/app-2', term: '2' },
  ]);
});
