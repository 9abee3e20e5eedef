import { randomUUID } from 'node:crypto';
import { eventually } from '@evergrant/test-support/eventually';
import { TestSession } from '@evergrant/test-support/server/test-session';
import { LICENSE, PRODUCT, type RunningServer, TestWorld } from '@evergrant/test-support/server/test-world';
import type { MonotonicClock } from '../../src/platform/clock';

/** `studio` gives its seats back when a session vanishes, `runner` keeps them. */
let world: TestWorld;
let server: RunningServer;
const sessions: TestSession[] = [];

beforeEach(async () => {
  const [studio, ...others] = LICENSE.entitlements;
  world = await TestWorld.create({ ...LICENSE, entitlements: [{ ...studio!, onDisconnect: 'release' }, ...others] });
  server = await world.startGranting();
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

/** So many others that one that vanishes is alone. */
const company = (count = 6) => Promise.all(Array.from({ length: count }, () => open()));

async function holding(session: TestSession, feature = 'studio'): Promise<string> {
  const leaseId = randomUUID();
  const body = { product: PRODUCT, feature, seats: 1, holder: 'room-1' };
  expect(await session.ask({ op: 'checkout', leaseId, ...body })).toMatchObject({ status: 201 });
  return leaseId;
}

interface Row {
  state: string;
  ended_by: string | null;
  ended_because: string | null;
}

async function row(leaseId: string): Promise<Row> {
  const rows = await world.database.query<Row>('select state, ended_by, ended_because from lease where id = $1', [
    leaseId,
  ]);
  return rows[0] as Row;
}

const outcomes = async (at: RunningServer = server): Promise<Record<string, number>> => {
  const text = String((await at.call('GET', '/metrics')).body);
  const lines = text.matchAll(/^evergrant_reclaims_total\{outcome="(\w+)"\} (\d+)/gm);
  return Object.fromEntries([...lines].map(([, outcome, count]) => [outcome, Number(count)]));
};

const decided = (outcome: string, count: number, at: RunningServer = server) =>
  eventually(`${count} leases: ${outcome}`, async () => (await outcomes(at))[outcome] === count);

describe('when a client vanishes', () => {
  it('its seats are free again in less than a second, and the lease says why', async () => {
    await company();
    const session = await open();
    const leaseId = await holding(session);
    const vanishedAtMs = performance.now();
    session.vanish();
    await eventually('reclaimed', async () => (await row(leaseId)).state === 'released', { everyMs: 10 });
    expect(performance.now() - vanishedAtMs).toBeLessThan(1_000);
    expect(await row(leaseId)).toEqual({ state: 'released', ended_by: 'client', ended_because: 'disconnected' });
    expect(await world.counts('studio')).toMatchObject({ taken: 0, live: 0 });
  });

  it('while its checkout is being decided, that seat too comes back', async () => {
    await company();
    const session = await open();
    const leaseId = randomUUID();
    await world.database.as('evergrant_owner', async (owner) => {
      await owner.query('begin');
      await owner.query('select from pool for update');
      const body = { product: PRODUCT, feature: 'studio', seats: 1, holder: 'room-1' };
      session.socket.send(JSON.stringify({ id: 1, op: 'checkout', leaseId, ...body }));
      await eventually('it waits for the pool', async () => {
        const rows = await world.database.query('select from pg_locks where not granted');
        return rows.length > 0;
      });
      session.vanish();
      await session.whenClosed();
      await owner.query('commit');
    });
    await eventually('reclaimed', async () => (await row(leaseId))?.ended_because === 'disconnected');
  });

  it('the leases of a pool that keeps them are kept', async () => {
    await company();
    const session = await open();
    const [kept, reclaimed] = [await holding(session, 'runner'), await holding(session, 'studio')];
    session.vanish();
    await decided('reclaimed', 1);
    expect([(await row(kept)).state, (await row(reclaimed)).state]).toEqual(['live', 'released']);
  });

  it('a lease that it has renewed over another connection is kept', async () => {
    await company();
    const session = await open();
    const leaseId = await holding(session);
    const elsewhere = await world.startGranting();
    await elsewhere.call('POST', `/v1/leases/${leaseId}/heartbeat`);
    session.vanish();
    await decided('renewed_elsewhere', 1);
    expect((await row(leaseId)).state).toBe('live');
  });

  it('a lease that lasts longer than its TTL is left alone: a renewal would not show', async () => {
    await company();
    const session = await open();
    const leaseId = await holding(session);
    await world.database.query(`update lease set expires_at = expires_at + interval '1 hour'`);
    await session.ask({ op: 'heartbeat' });
    session.vanish();
    await decided('renewed_elsewhere', 1);
    expect((await row(leaseId)).state).toBe('live');
  });
});

describe('leases are kept', () => {
  it('when the client says goodbye', async () => {
    await company();
    const session = await open();
    const leaseId = await holding(session);
    session.socket.close(1000);
    await session.whenClosed();
    const vanished = await open();
    await holding(vanished);
    vanished.vanish();
    await decided('reclaimed', 1);
    expect((await row(leaseId)).state).toBe('live');
  });

  it('when a crowd vanishes at the same moment', async () => {
    const crowd = await company(8);
    const leases = await Promise.all(crowd.map((session) => holding(session)));
    for (const session of crowd) session.vanish();
    await decided('crowd', 8);
    const states = await Promise.all(leases.map(async (leaseId) => (await row(leaseId)).state));
    expect(new Set(states)).toEqual(new Set(['live']));
  });

  it('when the server drains', async () => {
    const session = await open();
    const leaseId = await holding(session);
    await server.stop();
    expect((await row(leaseId)).state).toBe('live');
  });

  it('when the server stops granting', async () => {
    await company();
    const session = await open();
    const leaseId = await holding(session);
    await world.database.refuseConnections(true);
    await eventually('it does not grant', () => server.role.verdict().kind !== 'granting');
    session.vanish();
    await decided('not_granting', 1);
    await world.database.refuseConnections(false);
    expect((await row(leaseId)).state).toBe('live');
  });

  it('when it was the server that was stopped and heard nobody', async () => {
    let skippedMs = 0;
    const clock: MonotonicClock = { nowMs: () => performance.now() + skippedMs };
    const at = await world.startGranting({ clock, sessionPolicy: { pingEveryMs: 200, blindToleranceMs: 1e9 } });
    const session = await open(at);
    session.socket.pause();
    const jumps = setInterval(() => {
      skippedMs += 2_000;
    }, 50);
    await eventually('many rounds of pings', () => skippedMs > 60_000);
    clearInterval(jumps);
    expect(await outcomes(at)).toEqual({});
    const metrics = String((await at.call('GET', '/metrics')).body);
    expect(/^evergrant_sessions (.*)$/m.exec(metrics)?.[1]).toBe('1');
  });
});
