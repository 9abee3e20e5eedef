import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { eventually } from '@evergrant/test-support/eventually';
import { type ReceivedMessage, TestSession } from '@evergrant/test-support/server/test-session';
import { PRODUCT, type RunningServer, TestWorld, TOKENS } from '@evergrant/test-support/server/test-world';
import { SECURITY_DEFAULT } from '../../src/config/security';

const SEAT = { product: PRODUCT, feature: 'runner', seats: 1, holder: 'room-1' };

let world: TestWorld;
let server: RunningServer;
const sessions: TestSession[] = [];

beforeAll(async () => {
  world = await TestWorld.create();
  server = await world.startGranting({
    sessionPolicy: { leasesMax: 5, unansweredMax: 8, messagesPerSecondMax: 50, messagesBurstMax: 100 },
  });
});

afterEach(() => {
  for (const session of sessions.splice(0)) session.socket.terminate();
});

afterAll(() => world.close());

async function open(at: RunningServer = server): Promise<TestSession> {
  const session = await TestSession.open(at.address);
  sessions.push(session);
  return session;
}

async function holding(session: TestSession): Promise<string> {
  const leaseId = randomUUID();
  const answer = await session.ask({ op: 'checkout', leaseId, ...SEAT });
  expect(answer.status).toBe(201);
  return leaseId;
}

const expiryOf = async (leaseId: string): Promise<number> => {
  const rows = await world.database.query<{ expires_at: Date }>('select expires_at from lease where id = $1', [
    leaseId,
  ]);
  return Number(rows[0]?.expires_at);
};

const age = (leaseId: string) =>
  world.database.query(`update lease set expires_at = expires_at - interval '5 minutes' where id = $1`, [leaseId]);

const without = (body: ReceivedMessage, ...names: string[]): ReceivedMessage =>
  Object.fromEntries(Object.entries(body).filter(([name]) => !names.includes(name)));

describe('a session', () => {
  it('greets with who serves it', async () => {
    const session = await open();
    expect(session.socket.protocol).toBe('evergrant.v1');
    expect(session.said[0]).toEqual({
      event: 'hello',
      server: 'oregon/app-1',
      region: 'oregon',
      epoch: 1,
      pingEverySeconds: 15,
      leasesMax: 5,
      unansweredMax: 8,
    });
  });

  it('answers a checkout as HTTP does', async () => {
    const session = await open();
    const leaseId = randomUUID();
    const said = await session.ask({ op: 'checkout', leaseId, ...SEAT });
    const http = await server.call('PUT', `/v1/leases/${leaseId}`, SEAT);
    expect(said.status).toBe(201);
    expect(http.status).toBe(201);
    const ofTheMoment = ['token', 'serverTime', 'heartbeatAfter'];
    expect(without(said.body, ...ofTheMoment)).toEqual(without(http.body, ...ofTheMoment));
    expect(Object.keys(said.body)).toEqual(Object.keys(http.body));
  });

  it('answers what is refused as HTTP does', async () => {
    const session = await open();
    const bodies: object[] = [
      { ...SEAT, feature: 'nothing-of-the-kind' },
      { ...SEAT, feature: 'studio', seats: 1_000 },
      { ...SEAT, seats: 0, holder: undefined },
      { ...SEAT, holder: 'a\0b' },
    ];
    for (const body of bodies) {
      const leaseId = randomUUID();
      const said = await session.ask({ op: 'checkout', leaseId, ...body });
      const http = await server.call('PUT', `/v1/leases/${leaseId}`, body);
      expect([said.status, said.body]).toEqual([http.status, http.body]);
    }
  });

  it('releases, and renews one lease that came from elsewhere', async () => {
    const session = await open();
    const leaseId = randomUUID();
    await server.call('PUT', `/v1/leases/${leaseId}`, SEAT);
    await age(leaseId);
    const renewed = await session.ask({ op: 'heartbeat', leaseId });
    expect(renewed).toMatchObject({ status: 200, body: { leaseId } });
    expect((await session.ask({ op: 'heartbeat' })).body.leases).toMatchObject([{ leaseId, status: 200 }]);
    expect(await session.ask({ op: 'release', leaseId })).toEqual({ id: 3, status: 204 });
    expect((await session.ask({ op: 'heartbeat' })).body).toEqual({ leases: [] });
    expect(await session.ask({ op: 'heartbeat', leaseId })).toMatchObject({
      status: 410,
      body: { code: 'lease_released' },
    });
  });

  it('renews each of its leases with one heartbeat, and no other lease', async () => {
    const [session, other] = [await open(), await open()];
    const [first, second, foreign] = [await holding(session), await holding(session), await holding(other)];
    for (const leaseId of [first, second, foreign]) await age(leaseId);
    const { status, body } = await session.ask({ op: 'heartbeat' });
    expect(status).toBe(200);
    expect(new Set(body.leases.map((lease: ReceivedMessage) => lease.leaseId))).toEqual(new Set([first, second]));
    for (const lease of body.leases) expect(lease).toMatchObject({ status: 200, body: { servedBy: 'oregon/app-1' } });
    expect(body.heartbeatAfter).toBe(
      Math.min(...body.leases.map((lease: ReceivedMessage) => lease.body.heartbeatAfter)),
    );
    expect(await expiryOf(first)).toBeGreaterThan(Date.now() + 590_000);
    expect(await expiryOf(foreign)).toBeLessThan(Date.now() + 310_000);
  });

  it('forgets a lease that has ended, and says so once', async () => {
    const session = await open();
    const leaseId = await holding(session);
    await server.call('DELETE', `/v1/leases/${leaseId}`);
    const first = await session.ask({ op: 'heartbeat' });
    expect(first.body.leases).toMatchObject([{ leaseId, status: 410, body: { code: 'lease_released' } }]);
    expect((await session.ask({ op: 'heartbeat' })).body.leases).toEqual([]);
  });

  it('leaves its leases behind when it ends', async () => {
    const session = await open();
    const leaseId = await holding(session);
    session.vanish();
    await wait(50);
    const { body } = await server.call('GET', `/v1/leases/${leaseId}`, undefined, TOKENS.reader);
    expect(body.state).toBe('live');
  });

  it('holds no more leases than it may', async () => {
    const session = await open();
    const leases = await Promise.all([1, 2, 3, 4, 5].map(() => holding(session)));
    const more = { op: 'checkout', leaseId: randomUUID(), ...SEAT };
    expect(await session.ask(more)).toMatchObject({ status: 409, body: { code: 'session_full' } });
    await session.ask({ op: 'release', leaseId: leases[0] });
    expect(await session.ask(more)).toMatchObject({ status: 201 });
  });
});

describe('a message that is not valid', () => {
  it.each<[string, string, number, string, string | undefined, number | null]>([
    ['not JSON', '{"id":7', 400, 'malformed_body', undefined, null],
    ['nothing', '', 400, 'malformed_body', undefined, null],
    ['a list', '[]', 422, 'invalid_request', 'message', null],
    ['no op', '{"id":7}', 422, 'invalid_request', 'op', 7],
    ['an unknown op', '{"id":7,"op":"constructor"}', 422, 'invalid_request', 'op', 7],
    ['no id', '{"op":"heartbeat"}', 422, 'invalid_request', 'id', null],
    ['a lease id that is no UUID', '{"id":7,"op":"heartbeat","leaseId":"x"}', 422, 'invalid_request', 'leaseId', 7],
    ['no lease id to release', '{"id":7,"op":"release"}', 422, 'invalid_request', 'leaseId', 7],
  ])('%s, is answered and does not end the session', async (_what, text, status, code, field, id) => {
    const session = await open();
    session.socket.send(text);
    const answer = await eventually('an answer', () => session.said[1]);
    expect(answer).toMatchObject({ id, status, body: { code, ...(field ? { field } : {}) } });
    expect(await session.ask({ op: 'heartbeat' })).toMatchObject({ status: 200 });
  });

  it('lists every validation error', async () => {
    const session = await open();
    const { body } = await session.ask({ op: 'checkout' });
    expect(body.errors.map((error: ReceivedMessage) => error.field).sort()).toEqual([
      'feature',
      'holder',
      'leaseId',
      'product',
      'seats',
    ]);
  });

  it('in binary is as malformed', async () => {
    const session = await open();
    session.socket.send(Buffer.from('{"id":1,"op":"heartbeat"}'), { binary: true });
    expect(await eventually('an answer', () => session.said[1])).toMatchObject({ status: 400 });
  });

  it('too large ends the session, for it cannot be read', async () => {
    const session = await open();
    session.socket.send(JSON.stringify({ id: 1, op: 'heartbeat', filler: 'x'.repeat(17_000) }));
    expect((await session.whenClosed()).code).toBe(1009);
  });
});

describe('a session is not opened', () => {
  it('without a token, with an unknown one, or with one that may only read', async () => {
    const refusals = await Promise.all(
      [null, 'unknown', TOKENS.reader].map((token) => TestSession.refused(server.address, { token })),
    );
    expect(refusals.map(({ status, body }) => [status, body.code])).toEqual([
      [401, 'unauthenticated'],
      [401, 'unauthenticated'],
      [403, 'forbidden'],
    ]);
  });

  it('without the subprotocol', async () => {
    const refusal = await TestSession.refused(server.address, { protocols: ['something-else'] });
    expect(refusal).toMatchObject({ status: 426, body: { code: 'upgrade_required' } });
  });

  it('by a plain request', async () => {
    const answer = await server.call('GET', '/v1/session');
    expect(answer).toMatchObject({
      status: 426,
      body: { code: 'upgrade_required' },
      headers: { upgrade: 'websocket' },
    });
  });

  it('on a server that has enough of them', async () => {
    const small = await world.startGranting({ sessionPolicy: { sessionsMax: 1 } });
    await open(small);
    expect(await TestSession.refused(small.address)).toMatchObject({
      status: 503,
      body: { code: 'too_many_sessions' },
      headers: { 'retry-after': '1' },
    });
    await small.stop();
  });

  it('of a caller that has enough of them, while others are accepted', async () => {
    const small = await world.startGranting({ sessionPolicy: { sessionsPerCallerMax: 1 } });
    const first = await open(small);
    expect(await TestSession.refused(small.address)).toMatchObject({
      status: 503,
      body: { code: 'too_many_sessions', detail: expect.stringContaining('of one Control Room or token') },
    });
    first.socket.close();
    await first.whenClosed();
    await eventually('the place of the closed session is free', () =>
      open(small).then(
        () => true,
        () => false,
      ),
    );
    await small.stop();
  });

  it('by a server that does not grant: it says where to go', async () => {
    const virginia = await world.start({ region: 'virginia' });
    expect(await TestSession.refused(virginia.address)).toMatchObject({
      status: 503,
      body: { code: 'not_granting', activeRegion: 'oregon', address: 'http://oregon.test' },
    });
    await virginia.stop();
  });
});

describe('a session ends', () => {
  const endsOf = async (at: RunningServer): Promise<Record<string, number>> => {
    const { body } = await at.call('GET', '/metrics');
    const lines = String(body).matchAll(/^evergrant_session_ends_total\{because="(\w+)"\} (\d+)/gm);
    return Object.fromEntries([...lines].map(([, reason, count]) => [reason, Number(count)]));
  };

  it('when it floods', async () => {
    const session = await open();
    for (let id = 0; id < 150; id += 1) session.socket.send(JSON.stringify({ id, op: 'heartbeat' }));
    expect(await session.whenClosed()).toEqual({ code: 1008, reason: 'flood' });
  });

  it('when its token is revoked, at the next message or soon', async () => {
    const own = await TestWorld.create();
    const at = await own.startGranting({ sessionPolicy: { pingEveryMs: 500 } });
    const [asking, idle] = [await open(at), await open(at)];
    await own.database.query(`delete from api_token where name = 'client'`);
    await eventually('it is closed', async () => {
      if (asking.closed) return true;
      await Promise.race([asking.ask({ op: 'heartbeat' }), asking.whenClosed()]);
      return false;
    });
    expect(await asking.whenClosed()).toEqual({ code: 1008, reason: 'unauthenticated' });
    expect(await idle.whenClosed()).toEqual({ code: 1008, reason: 'unauthenticated' });
    await own.close();
  });

  it('when nothing comes from its client any more', async () => {
    const at = await world.startGranting({ sessionPolicy: { pingEveryMs: 250 } });
    const [alive, dead] = [await open(at), await open(at)];
    // A stopped process: its socket is open, and nobody reads it.
    dead.socket.pause();
    await eventually('the dead one is gone', async () => (await endsOf(at)).silent === 1);
    expect(await alive.ask({ op: 'heartbeat' })).toMatchObject({ status: 200 });
    await at.stop();
  });

  it('when its server drains, which answers first what it has read, and says so', async () => {
    const at = await world.startGranting();
    const session = await open(at);
    const leaseId = randomUUID();
    const answer = await world.database.as('evergrant_owner', async (owner) => {
      await owner.query('begin');
      await owner.query('select from pool for update');
      const asked = session.ask({ op: 'checkout', leaseId, ...SEAT });
      await eventually('the checkout waits for the pool', async () => {
        const rows = await world.database.query(`select from pg_locks where not granted`);
        return rows.length > 0;
      });
      const stopped = at.stop();
      await session.event('draining');
      await owner.query('commit');
      await stopped;
      return asked;
    });
    expect(answer.status).toBe(201);
    expect(await session.event('draining')).toMatchObject({
      reason: 'draining',
      activeRegion: 'oregon',
      address: 'http://oregon.test',
      retryAfter: expect.any(Number),
    });
    expect(await session.whenClosed()).toEqual({ code: 1012, reason: 'sent_away' });
  });

  it('when another region holds authority, and its leases are kept', async () => {
    const own = await TestWorld.create();
    const at = await own.startGranting();
    const session = await open(at);
    const leaseId = await holding(session);
    await own.authority.latch({ epoch: 2, region: 'virginia' });
    expect(await session.event('not_granting')).toMatchObject({
      reason: 'authority_elsewhere',
      activeRegion: 'virginia',
      address: 'http://virginia.test',
    });
    await session.whenClosed();
    const rows = await own.database.query<{ state: string }>('select state from lease where id = $1', [leaseId]);
    expect(rows[0]?.state).toBe('live');
    await own.close();
  });

  it('not when its server is blind for a moment', async () => {
    const own = await TestWorld.create();
    const at = await own.startGranting({ sessionPolicy: { blindToleranceMs: 60_000 } });
    const session = await open(at);
    const leaseId = await holding(session);
    await own.database.refuseConnections(true);
    await eventually('refused', async () => (await session.ask({ op: 'heartbeat', leaseId })).status === 503);
    await own.database.refuseConnections(false);
    await eventually('served', async () => (await session.ask({ op: 'heartbeat', leaseId })).status === 200);
    expect(session.closed).toBeUndefined();
    await own.close();
  });

  it('when its server is blind for too long', async () => {
    const own = await TestWorld.create();
    const at = await own.startGranting({ sessionPolicy: { blindToleranceMs: 300 } });
    const session = await open(at);
    await own.database.refuseConnections(true);
    expect(await session.event('not_granting')).toMatchObject({ reason: expect.any(String) });
    await session.whenClosed();
    await own.database.refuseConnections(false);
    await own.close();
  });
});

describe('heartbeats of many sessions', () => {
  it('that arrive together are few transactions', async () => {
    const at = await world.startGranting();
    const many = await Promise.all(Array.from({ length: 300 }, () => open(at)));
    await Promise.all(many.map((session) => holding(session)));
    const before = await batches(at);
    await Promise.all(many.map((session) => session.ask({ op: 'heartbeat' })));
    const after = await batches(at);
    expect(after.renewals - before.renewals).toBe(300);
    expect(after.transactions - before.transactions).toBeLessThan(60);
    await at.stop();
  });

  it('of one session are one renewal of its leases while one is in flight', async () => {
    const at = await world.startGranting();
    const session = await open(at);
    for (let n = 0; n < 20; n++) await holding(session);
    const before = await batches(at);
    const answers = await Promise.all(Array.from({ length: 30 }, () => session.ask({ op: 'heartbeat' })));
    expect(answers.map(({ body }) => body.leases.length)).toEqual(Array.from({ length: 30 }, () => 20));
    const after = await batches(at);
    expect(after.renewals - before.renewals).toBeLessThan(300);
    await at.stop();
  });

  it('cost as many requests as they renew leases, over all sessions of the caller', async () => {
    const rateLimits = { ...SECURITY_DEFAULT.rateLimits, perToken: 40 };
    const at = await world.startGranting({ security: { rateLimits } });
    const [one, other] = [await open(at), await open(at)];
    for (let n = 0; n < 4; n++) await holding(one);
    // Each one renews four leases.
    const answers = [];
    for (let n = 0; n < 12; n++) answers.push(await one.ask({ op: 'heartbeat' }));
    expect(answers[0].status).toBe(200);
    expect(answers.at(-1)).toMatchObject({
      status: 429,
      body: { code: 'rate_limited' },
      retryAfter: expect.any(Number),
    });
    expect((await other.ask({ op: 'checkout', leaseId: randomUUID(), ...SEAT })).status).toBe(429);
    await at.stop();
  });

  it('are spread by the server over a fifth of their interval', async () => {
    const at = await world.startGranting();
    const many = await Promise.all(Array.from({ length: 40 }, () => open(at)));
    await Promise.all(many.map((session) => holding(session)));
    const answers = await Promise.all(many.map((session) => session.ask({ op: 'heartbeat' })));
    const afterSeconds = answers.map(({ body }) => body.heartbeatAfter as number);
    expect(Math.min(...afterSeconds)).toBeGreaterThanOrEqual(180);
    expect(Math.max(...afterSeconds)).toBeLessThanOrEqual(220);
    expect(Math.max(...afterSeconds) - Math.min(...afterSeconds)).toBeGreaterThan(10);
    await at.stop();
  });

  async function batches(at: RunningServer): Promise<{ transactions: number; renewals: number }> {
    const text = String((await at.call('GET', '/metrics')).body);
    const read = (name: string): number =>
      Number(new RegExp(`^evergrant_batch_size_${name}\\{verb="heartbeat"\\} (\\d+)`, 'm').exec(text)?.[1] ?? 0);
    return { transactions: read('count'), renewals: read('sum') };
  }
});
