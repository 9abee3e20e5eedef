import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { eventually } from '@evergrant/test-support/eventually';
import { type ReceivedMessage, TestSession } from '@evergrant/test-support/server/test-session';
import { PRODUCT, type RunningServer, TestWorld } from '@evergrant/test-support/server/test-world';

const SEATS = 5;
const SEAT = { product: PRODUCT, feature: 'mayfly', seats: 1, holder: 'room-1' };

/**
 * The product's default. With the 3 s of the other tests, a process or a database that a busy machine stops for as long
 * loses its proof of authority, and the next checkout gets 503 `not_granting`. These tests are not about authority.
 */
const AUTHORITY_LEASE_MS = 30_000;

let world: TestWorld;
let server: RunningServer;
const sessions: TestSession[] = [];

beforeEach(async () => {
  world = await TestWorld.create();
  server = await world.startGranting({ authorityLeaseMs: AUTHORITY_LEASE_MS });
});

afterEach(async () => {
  for (const session of sessions.splice(0)) session.socket.terminate();
  await world.close();
});

async function open(at: RunningServer = server): Promise<TestSession> {
  const session = await TestSession.open(at.address);
  sessions.push(session);
  return session;
}

const ask = (session: TestSession, leaseId: string): Promise<ReceivedMessage> =>
  session.ask({ op: 'checkout', leaseId, queue: true, ...SEAT });

async function full(session: TestSession): Promise<string[]> {
  const leases = Array.from({ length: SEATS }, () => randomUUID());
  for (const leaseId of leases) expect(await ask(session, leaseId)).toMatchObject({ status: 201 });
  return leases;
}

const told = (session: TestSession, leaseId: string, status: number): Promise<ReceivedMessage> =>
  eventually(`${status} for ${leaseId}`, () =>
    session.said.find(
      (message) => message.event === 'queue' && message.leaseId === leaseId && message.status === status,
    ),
  );

const toldOf = (session: TestSession, leaseId: string): ReceivedMessage[] =>
  session.said.filter((message) => message.event === 'queue' && message.leaseId === leaseId);

const release = (session: TestSession, leaseId: string | undefined): Promise<ReceivedMessage> =>
  session.ask({ op: 'release', leaseId });

describe('a checkout that stands in line', () => {
  it('receives its seats when they become free, without asking', async () => {
    const [holder, waiting] = [await open(), await open()];
    const held = await full(holder);
    const leaseId = randomUUID();
    expect(await ask(waiting, leaseId)).toMatchObject({ status: 202, body: { leaseId, position: 1 } });
    await release(holder, held[0]);
    const granted = await told(waiting, leaseId, 201);
    expect(granted.body).toMatchObject({ leaseId, token: expect.any(String), servedBy: server.name });
    expect((await waiting.ask({ op: 'heartbeat' })).body.leases).toMatchObject([{ leaseId, status: 200 }]);
  });

  it('receives its new position, and nothing while it stays the same', async () => {
    const [holder, waiting] = [await open(), await open()];
    const held = await full(holder);
    const [first, second] = [randomUUID(), randomUUID()];
    await ask(waiting, first);
    expect(await ask(waiting, second)).toMatchObject({ status: 202, body: { position: 2 } });
    await wait(2_500);
    expect(toldOf(waiting, first)).toEqual([]);
    expect(toldOf(waiting, second)).toEqual([]);
    await release(holder, held[0]);
    await told(waiting, first, 201);
    expect((await told(waiting, second, 202)).body).toMatchObject({ position: 1 });
  });

  it('keeps its turn behind those who came before over HTTP', async () => {
    const [holder, waiting] = [await open(), await open()];
    const held = await full(holder);
    const [early, late] = [randomUUID(), randomUUID()];
    const http = () => server.call('PUT', `/v1/leases/${early}`, { ...SEAT, queue: true });
    expect((await http()).status).toBe(202);
    await ask(waiting, late);
    await release(holder, held[0]);
    await wait(2_000);
    expect(toldOf(waiting, late)).toEqual([]);
    expect((await http()).status).toBe(201);
    await release(holder, held[1]);
    await told(waiting, late, 201);
  });

  it('that is taken back is out of the line, and takes no seat afterwards', async () => {
    const [holder, waiting] = [await open(), await open()];
    const held = await full(holder);
    const leaseId = randomUUID();
    await ask(waiting, leaseId);
    expect(await release(waiting, leaseId)).toMatchObject({ status: 204 });
    await release(holder, held[0]);
    await wait(1_500);
    expect(toldOf(waiting, leaseId)).toEqual([]);
    expect(await world.counts('mayfly')).toMatchObject({ taken: SEATS - 1 });
  });

  it('goes on standing in line over another connection when its session ends', async () => {
    const [holder, gone] = [await open(), await open()];
    const held = await full(holder);
    const leaseId = randomUUID();
    await ask(gone, leaseId);
    gone.vanish();
    const back = await open();
    expect(await ask(back, leaseId)).toMatchObject({ status: 202, body: { position: 1 } });
    await release(holder, held[0]);
    await told(back, leaseId, 201);
    expect(toldOf(gone, leaseId)).toEqual([]);
  });

  it('outlasts a moment in which its server cannot say anything', async () => {
    const [holder, waiting] = [await open(), await open()];
    const held = await full(holder);
    const leaseId = randomUUID();
    await ask(waiting, leaseId);
    await world.database.refuseConnections(true);
    await eventually('it does not grant', () => server.role.verdict().kind !== 'granting');
    await wait(1_500);
    await world.database.refuseConnections(false);
    await eventually('it grants', () => server.role.verdict().kind === 'granting');
    await eventually('released', async () => (await release(holder, held[0])).status === 204);
    await told(waiting, leaseId, 201);
    expect(toldOf(waiting, leaseId).map(({ status }) => status)).toEqual([201]);
  });
});
