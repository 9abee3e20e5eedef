/**
 * Two releases side by side: servers of the previous one go on working on the new schema, beside servers of this one,
 * while they are replaced one by one.
 */
import { randomUUID } from 'node:crypto';
import { eventually } from '@evergrant/test-support/eventually';
import { allEvents, verified } from '@evergrant/test-support/server/audit';
import { PRODUCT, type RunningServer, TestWorld } from '@evergrant/test-support/server/test-world';
import { type OldServer, PreviousRelease } from './support/previous-release';

type Server = Pick<OldServer, 'name' | 'call'>;

interface Held {
  readonly leaseId: string;
  readonly seats: number;
  readonly token: string;
}

jest.setTimeout(60_000);

let release: PreviousRelease;
let world: TestWorld;
let old: OldServer;
let fresh: RunningServer;

beforeAll(async () => {
  release = new PreviousRelease();
  world = await TestWorld.create();
  old = await release.startGranting('oregon/app-1', {
    database: world.database,
    authority: world.authority.database,
  });
  fresh = await world.startGranting({ name: 'oregon/app-2' });
});

afterAll(async () => {
  await world?.close();
  release.remove();
});

async function checkout(server: Server, seats = 1, feature = 'runner'): Promise<Held> {
  const leaseId = randomUUID();
  const body = { product: PRODUCT, feature, seats, holder: 'room-1' };
  const answer = await server.call('PUT', `/v1/leases/${leaseId}`, body);
  expect([server.name, answer.status]).toEqual([server.name, 201]);
  return { leaseId, seats, token: answer.body.token };
}

const heartbeat = (server: Server, { leaseId, token }: Held) =>
  server.call('POST', `/v1/leases/${leaseId}/heartbeat`, { token });

const giveBack = (server: Server, { leaseId, token }: Held) =>
  server.call('DELETE', `/v1/leases/${leaseId}`, { token });

const BOTH_WAYS: [string, () => [Server, Server]][] = [
  ['granted by the previous release, to this one', () => [old, fresh]],
  ['granted by this release, to the previous one', () => [fresh, old]],
];

describe.each(BOTH_WAYS)('a lease %s:', (_what, servers) => {
  it('is renewed there', async () => {
    const [here, there] = servers();
    const held = await checkout(here);
    expect(await heartbeat(there, held)).toMatchObject({ status: 200, body: { leaseId: held.leaseId } });
    expect(await heartbeat(here, held)).toMatchObject({ status: 200 });
  });

  it('is the same lease when it is asked for again there', async () => {
    const [here, there] = servers();
    const held = await checkout(here, 3);
    const again = await there.call('PUT', `/v1/leases/${held.leaseId}`, {
      product: PRODUCT,
      feature: 'runner',
      seats: 3,
      holder: 'room-1',
      token: held.token,
    });
    expect(again).toMatchObject({ status: 201, body: { leaseId: held.leaseId } });
  });

  it('is released there, and has ended here', async () => {
    const [here, there] = servers();
    const held = await checkout(here);
    expect((await giveBack(there, held)).status).toBe(204);
    expect((await heartbeat(here, held)).body.code).toBe('lease_released');
  });
});

it('seats are shared and never sold twice', async () => {
  const held = await checkout(old, 6, 'studio');
  await checkout(fresh, 4, 'studio');
  const body = { product: PRODUCT, feature: 'studio', seats: 1, holder: 'room-1' };
  for (const server of [old, fresh]) {
    const denied = await server.call('PUT', `/v1/leases/${randomUUID()}`, body);
    expect([server.name, denied.body.code]).toEqual([server.name, 'no_seat_available']);
  }
  await giveBack(fresh, held);
  await Promise.all([checkout(old, 3, 'studio'), checkout(fresh, 3, 'studio')]);
  expect(await world.counts('studio')).toMatchObject({ live: 10, taken: 10 });
});

it('what both do at the same time is counted right', async () => {
  const servers: Server[] = [old, fresh];
  const any = (): Server => servers[Math.floor(Math.random() * 2)]!;
  const kept = new Map<string, number>();
  const before = (await world.counts('runner')).live;
  await Promise.all(
    Array.from({ length: 8 }, async () => {
      for (let round = 0; round < 12; round++) {
        const held = await checkout(any(), 1 + (round % 3));
        expect((await heartbeat(any(), held)).status).toBe(200);
        if (round % 2 === 0) expect((await giveBack(any(), held)).status).toBe(204);
        else kept.set(held.leaseId, held.seats);
      }
    }),
  );
  const seats = [...kept.values()].reduce((sum, each) => sum + each, 0);
  expect(await world.counts('runner')).toMatchObject({ live: before + seats, taken: before + seats });
});

it('the audit log has what both did, and nothing in it is out of place', async () => {
  const { findings, summary } = await verified(await allEvents(world.database));
  expect(findings).toEqual([]);
  expect(summary.events).toBeGreaterThan(50);
  const told = await world.database.query(
    `select count(distinct body ->> 'lease')::int as leases from audit_event where kind in ('lease_granted', 'lease_adopted')`,
  );
  const ever = await world.database.query('select count(*)::int as leases from lease');
  expect(told).toEqual(ever);
});

describe('after the loss of a region', () => {
  it('each adopts what the other had granted, from its token, and neither adopts it twice', async () => {
    const [byOld, byFresh] = [await checkout(old, 2), await checkout(fresh, 2)];
    // What the follower never received; then an epoch begins.
    await world.database.query('delete from lease where id = any($1)', [[byOld.leaseId, byFresh.leaseId]]);
    await world.authority.latch({ epoch: 2, region: 'oregon' });
    await world.authority.open();
    for (const server of [old, fresh]) await eventually(`${server.name} grants epoch 2`, () => grantsEpoch2(server));
    const adopted = await Promise.all([heartbeat(fresh, byOld), heartbeat(old, byFresh)]);
    expect(adopted.map(({ status }) => status)).toEqual([200, 200]);
    const { taken } = await world.counts('runner');
    await heartbeat(old, byOld);
    await heartbeat(fresh, byFresh);
    expect(await world.counts('runner')).toMatchObject({ taken, live: taken });
    const rows = await world.database.query(
      'select adopted_from_epoch::int as from_epoch from lease where id = any($1)',
      [[byOld.leaseId, byFresh.leaseId]],
    );
    expect(rows).toEqual([{ from_epoch: 1 }, { from_epoch: 1 }]);
  });

  async function grantsEpoch2(server: Server): Promise<boolean> {
    const { granting, epoch } = (await server.call('GET', '/v1/status')).body;
    return granting && epoch === 2;
  }
});

it('the old one is stopped, and the new one carries on alone', async () => {
  const held = await checkout(old);
  await old.stop();
  expect((await heartbeat(fresh, held)).status).toBe(200);
});
