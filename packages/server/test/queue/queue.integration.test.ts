import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { eventually } from '@evergrant/test-support/eventually';
import {
  PRODUCT,
  type RunningServer,
  type TestResponse,
  TestWorld,
  TOKENS,
} from '@evergrant/test-support/server/test-world';
import { decodeJwt } from 'jose';

let world: TestWorld;
let servers: RunningServer[];

beforeEach(async () => {
  world = await TestWorld.create();
  servers = await startServers();
});

afterEach(() => world.close());

function startServers(): Promise<RunningServer[]> {
  return Promise.all([1, 2].map((n) => world.startGranting({ name: `oregon/app-${n}` })));
}

interface Wish {
  readonly leaseId: string;
  readonly body: object;
}

function wish(seats = 1, overrides: object = {}): Wish {
  return {
    leaseId: randomUUID(),
    body: { product: PRODUCT, feature: 'mayfly', seats, holder: 'a host', queue: true, ...overrides },
  };
}

function ask(
  { leaseId, body }: Wish,
  { server = servers[0]!, token }: { server?: RunningServer; token?: string } = {},
) {
  return server.call('PUT', `/v1/leases/${leaseId}`, token ? { ...body, token } : body);
}

async function fill(): Promise<string> {
  const { body } = await ask(wish(5));
  return body.leaseId;
}

function release(leaseId: string, body: object = {}): Promise<TestResponse> {
  return servers[0]!.call('DELETE', `/v1/leases/${leaseId}`, body);
}

async function line(): Promise<{ leaseId: string; position: number }[]> {
  const { body } = await servers[0]!.call('GET', '/v1/queue', undefined, TOKENS.reader);
  return body.places.map(({ leaseId, position }: { leaseId: string; position: number }) => ({ leaseId, position }));
}

describe('a checkout that may wait', () => {
  it('is granted at once while there are seats', async () => {
    expect((await ask(wish(5))).status).toBe(201);
  });

  it('gets a place, with everything the contract names', async () => {
    await fill();
    await ask(wish());
    const mine = wish();
    const answer = await ask(mine);
    expect(answer.status).toBe(202);
    expect(answer.body).toEqual({
      leaseId: mine.leaseId,
      licenseId: 'lic-1',
      position: 2,
      token: expect.any(String),
      expiresAt: expect.any(String),
      serverTime: expect.any(String),
      retryAfter: expect.any(Number),
    });
    expect(Number(answer.headers['retry-after'])).toBeGreaterThanOrEqual(1);
    expect(answer.body.retryAfter).toBeLessThan(2);
    expect(Date.parse(answer.body.expiresAt) - Date.parse(answer.body.serverTime)).toBeGreaterThan(59_000);
    expect(decodeJwt(answer.body.token)).toMatchObject({ jti: mine.leaseId, number: 2, epoch: 1 });
  });

  it('is listed and counted', async () => {
    await fill();
    const wishes = [wish(), wish(2)];
    for (const each of wishes) await ask(each);
    const { body } = await servers[1]!.call('GET', '/v1/queue?feature=mayfly', undefined, TOKENS.reader);
    expect(body.places).toMatchObject([
      { leaseId: wishes[0]!.leaseId, position: 1, seats: 1, licenseId: 'lic-1', requestedBy: 'client' },
      { leaseId: wishes[1]!.leaseId, position: 2, seats: 2 },
    ]);
    const length = `evergrant_queue_length{license="lic-1",product="${PRODUCT}",feature="mayfly"} 2`;
    const metrics = async () => (await servers[0]!.call('GET', '/metrics', undefined, null)).body as string;
    await eventually('the length is shown', async () => (await metrics()).includes(length));
    expect(await metrics()).toContain('evergrant_queued_total{how="new"} 2');
  });

  it('keeps its place by asking again, on any server, and loses it when it does not', async () => {
    await fill();
    const [first, second] = [wish(), wish()];
    for (const each of [first, second]) await ask(each);
    await world.database.query(`update queue_place set expires_at = clock_timestamp() + interval '20 s'`);
    expect((await ask(second, { server: servers[1]! })).body.position).toBe(2);
    await world.database.query('update queue_place set expires_at = clock_timestamp() where lease_id = $1', [
      first.leaseId,
    ]);
    expect((await ask(second)).body.position).toBe(1);
    expect((await ask(first)).body.position).toBe(2);
    await eventually('lapsed places are cleared away', async () => (await line()).length === 2);
  });

  it('leaves the line when it is given up', async () => {
    await fill();
    const [first, second] = [wish(), wish()];
    for (const each of [first, second]) await ask(each);
    expect((await release(first.leaseId)).status).toBe(204);
    expect(await line()).toEqual([{ leaseId: second.leaseId, position: 1 }]);
    expect((await release(first.leaseId)).status).toBe(404);
  });

  it('is not overtaken by one that asks at the right moment', async () => {
    const held = await fill();
    const first = wish(2);
    await ask(first);
    await release(held);
    const impatient = wish(4, { queue: false });
    expect(await ask(impatient)).toMatchObject({ status: 409, body: { code: 'no_seat_available', seatsFree: 3 } });
    expect((await ask(first, { server: servers[1]! })).status).toBe(201);
    expect(await line()).toEqual([]);
  });

  it('serves places in order over two servers and hundreds of requests', async () => {
    let held = await fill();
    const wishes = Array.from({ length: 12 }, () => wish(5));
    for (const each of wishes) await ask(each);
    const granted: string[] = [];
    await Promise.all(
      wishes.map(async (each, index) => {
        for (let round = 0; granted.length < wishes.length; round++) {
          const answer = await ask(each, { server: servers[(index + round) % 2]! });
          if (answer.status === 201) {
            granted.push(each.leaseId);
            held = each.leaseId;
            return;
          }
          expect(answer.status).toBe(202);
          // Only the first in line may end the wait of all; everyone else asks as fast as it can.
          if (answer.body.position === 1) await release(held);
          await wait(1);
        }
      }),
    );
    expect(granted).toEqual(wishes.map((each) => each.leaseId));
  }, 60_000);
});

it('a line survives the restart of every server', async () => {
  const held = await fill();
  const wishes = [wish(3), wish(2)];
  for (const each of wishes) await ask(each);
  await Promise.all(servers.map((server) => server.stop()));
  servers = await startServers();
  expect((await ask(wishes[1]!)).body.position).toBe(2);
  await release(held);
  expect((await ask(wishes[1]!)).status).toBe(201);
  expect((await ask(wishes[0]!)).status).toBe(201);
});

describe('after the loss of a region', () => {
  /** Oregon is gone; its database goes on as Virginia's, without what the follower never received. */
  async function failOver(lost: readonly Wish[]): Promise<RunningServer> {
    await Promise.all(servers.map((server) => server.stop()));
    await world.database.query('delete from queue_place where lease_id = any($1)', [lost.map((each) => each.leaseId)]);
    await world.database.query('update pool set queue_seq = coalesce((select max(number) from queue_place), 0)');
    await world.authority.latch({ epoch: 2, region: 'virginia' });
    await world.authority.open();
    servers = [await world.startGranting({ region: 'virginia' })];
    await world.database.query('update pool set awaited_until = clock_timestamp()');
    return servers[0]!;
  }

  it('a queue continues: no place expires while no server could answer', async () => {
    await fill();
    const wishes = [wish(), wish()];
    for (const each of wishes) await ask(each);
    await world.database.query('update queue_place set expires_at = clock_timestamp()');
    await failOver([]);
    expect(await line()).toEqual(wishes.map(({ leaseId }, index) => ({ leaseId, position: index + 1 })));
    const [row] = await world.database.query<{ seconds: number }>(
      'select min(extract(epoch from expires_at - clock_timestamp()))::float8 as seconds from queue_place',
    );
    expect(row?.seconds).toBeGreaterThan(60);
  });

  it('a place that was lost is taken up again by its token, with its number, before all newcomers', async () => {
    const held = await fill();
    const [kept, lost, alsoLost] = [wish(), wish(), wish()];
    await ask(kept);
    const { token } = (await ask(lost)).body;
    const { token: otherToken } = (await ask(alsoLost)).body;
    await failOver([lost, alsoLost]);
    const newcomer = wish();
    expect((await ask(newcomer)).body.position).toBe(2);
    expect((await ask(alsoLost, { token: otherToken })).body.position).toBe(2);
    expect((await ask(lost, { token })).body.position).toBe(2);
    expect((await line()).map(({ leaseId }) => leaseId)).toEqual(
      [kept, lost, alsoLost, newcomer].map(({ leaseId }) => leaseId),
    );
    // What was held is released, and they are served in this order.
    expect((await release(held)).status).toBe(204);
    for (const each of [newcomer, alsoLost, lost, kept]) expect((await ask(each)).status).toBe(201);
    expect(servers[0]!.role.verdict()).toEqual({ kind: 'granting', epoch: 2 });
  });

  it('a token proves no other place, and none that is forged', async () => {
    await fill();
    const [kept, lost] = [wish(), wish()];
    await ask(kept);
    const { token } = (await ask(lost)).body;
    await failOver([lost]);
    await ask(wish());
    const other = wish();
    expect((await ask(other, { token })).body.position).toBe(3);
    const forged = `${token.slice(0, -4)}AAAA`;
    expect((await ask(lost, { token: forged })).body.position).toBe(4);
    // A place token is no lease token.
    const heartbeat = await servers[0]!.call('POST', `/v1/leases/${randomUUID()}/heartbeat`, { token });
    expect(heartbeat.body.code).toBe('lease_not_found');
  });

  it('a lost place that is given up is over', async () => {
    await fill();
    const lost = wish();
    const { token } = (await ask(lost)).body;
    await failOver([lost]);
    expect((await release(lost.leaseId, { token })).status).toBe(204);
    expect(await line()).toEqual([]);
  });
});
