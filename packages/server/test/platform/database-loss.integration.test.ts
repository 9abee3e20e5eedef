import { randomUUID } from 'node:crypto';
import { eventually } from '@evergrant/test-support/eventually';
import { Relay } from '@evergrant/test-support/server/relay';
import { PRODUCT, type RunningServer, TestWorld, TOKENS } from '@evergrant/test-support/server/test-world';
import { DatabaseFailure } from '../../src/platform/database-failure';
import { databaseFailure } from '../../src/platform/postgres/failure';
import { connectLicenseDatabase } from '../../src/platform/postgres/license-database';

let world: TestWorld;

beforeEach(async () => {
  world = await TestWorld.create();
});

afterEach(() => world.close());

const BODY = { product: PRODUCT, feature: 'studio', seats: 1, holder: 'room-1' };

function checkout(server: RunningServer) {
  return server.call('PUT', `/v1/leases/${randomUUID()}`, BODY);
}

describe('a server without its database', () => {
  it('lives, says so, and grants again when the database is back, without a restart', async () => {
    const server = await world.startGranting();
    await world.database.refuseConnections(true);
    await eventually('it notices', () => server.role.verdict().kind === 'not_granting');
    expect(await checkout(server)).toMatchObject({
      status: 503,
      body: {
        code: 'not_granting',
        reason: 'database_unreachable',
        activeRegion: 'oregon',
        address: 'http://oregon.test',
      },
    });
    expect((await server.call('GET', '/livez')).status).toBe(200);
    expect((await server.call('GET', '/readyz')).status).toBe(503);
    // The container health check must not replace servers because a database is lost.
    expect((await server.call('GET', '/startupz')).status).toBe(200);
    expect((await server.call('GET', '/v1/status')).body).toMatchObject({
      granting: false,
      reason: 'database_unreachable',
    });
    // A token that was never seen cannot be looked up: it is not called wrong, but sent where it may be known.
    expect(await server.call('GET', '/v1/pools', undefined, 'wrong-token-of-the-tests')).toMatchObject({
      status: 503,
      body: { code: 'not_granting', reason: 'database_unreachable' },
    });
    // A token that was seen before still identifies its caller.
    expect(await server.call('GET', '/v1/pools')).toMatchObject({
      status: 503,
      body: { code: 'database_unreachable' },
    });

    await world.database.refuseConnections(false);
    await eventually('it grants again', () => server.role.verdict().kind === 'granting');
    expect((await checkout(server)).status).toBe(201);
  });

  it('starts nevertheless, and accepts no token until it has read them', async () => {
    await world.database.refuseConnections(true);
    const starting = world.start();
    const server = await Promise.race([
      starting,
      new Promise<undefined>((late) => setTimeout(() => late(undefined), 1_000)),
    ]);
    expect(server).toBeUndefined();
    await world.database.refuseConnections(false);
    expect((await (await starting).call('GET', '/v1/pools')).status).toBe(200);
  });
});

describe('a commit that was sent and not answered', () => {
  it('is said to be unknown; the same request again finds out', async () => {
    let losesAnswer = true;
    const server = await world.startGranting({
      wrapDatabase: (database) => ({
        ...database,
        leases: {
          ...database.leases,
          grant: async (batch) => {
            const result = await database.leases.grant(batch);
            if (!losesAnswer) return result;
            losesAnswer = false;
            throw new DatabaseFailure('unreachable', { cause: new Error('connection lost'), outcomeUnknown: true });
          },
        },
      }),
    });
    const leaseId = randomUUID();
    const answer = await server.call('PUT', `/v1/leases/${leaseId}`, BODY);
    expect(answer).toMatchObject({ status: 503, body: { code: 'outcome_unknown' }, headers: { 'retry-after': '1' } });
    expect((await server.call('PUT', `/v1/leases/${leaseId}`, BODY)).status).toBe(201);
    expect(await world.counts('studio')).toMatchObject({ live: 1, taken: 1 });
  });

  it('differs from a transaction that failed before it', () => {
    const lost = new Error('Connection terminated unexpectedly');
    expect(databaseFailure(lost, { whileCommitting: true })).toMatchObject({
      kind: 'unreachable',
      outcomeUnknown: true,
    });
    expect(databaseFailure(lost)).toMatchObject({ kind: 'unreachable', outcomeUnknown: false });
  });
});

describe('a server beside a database that turns read-only', () => {
  it('stops granting, goes on reading, and grants once it is writable again', async () => {
    const server = await world.startGranting();
    const { leaseId } = (await checkout(server)).body;
    await world.database.makeReadOnly(true);
    await eventually(
      'it notices',
      async () => (await server.call('GET', '/v1/status')).body.reason === 'database_read_only',
    );
    expect(await checkout(server)).toMatchObject({
      status: 503,
      body: { reason: 'database_read_only', activeRegion: 'oregon' },
    });
    expect((await server.call('GET', '/readyz')).status).toBe(200);
    expect((await server.call('GET', `/v1/leases/${leaseId}`, undefined, TOKENS.reader)).status).toBe(200);

    await world.database.makeReadOnly(false);
    await eventually('it grants again', () => server.role.verdict().kind === 'granting');
    expect((await server.call('POST', `/v1/leases/${leaseId}/heartbeat`)).status).toBe(200);
  });
});

describe('a database that hangs', () => {
  it('hangs no request: each is answered within five seconds', async () => {
    const address = world.database.address('evergrant_server');
    const relay = new Relay(address.port);
    const port = await relay.listen();
    const server = await world.startGranting({
      authorityLeaseMs: 60_000,
      wrapDatabase: () =>
        connectLicenseDatabase({ ...address, port }, { server: 'oregon/app-1', followerName: 'virginia_follower' }),
    });
    const { leaseId } = (await checkout(server)).body;
    relay.hangs = true;
    const startedAt = performance.now();
    // Some meet the hang in the middle, some queue behind them, some come when it is known.
    const answers = await Promise.all(
      Array.from({ length: 30 }, async (_, index) => {
        await new Promise((resume) => setTimeout(resume, index * 50));
        const askedAt = performance.now();
        const answer =
          index % 2 ? await checkout(server) : await server.call('POST', `/v1/leases/${leaseId}/heartbeat`);
        return { answer, tookMs: performance.now() - askedAt };
      }),
    );
    for (const { answer, tookMs } of answers) {
      expect(answer).toMatchObject({ status: 503, body: { code: 'not_granting', reason: 'database_unreachable' } });
      expect(tookMs).toBeLessThan(5_000);
    }
    expect(performance.now() - startedAt).toBeLessThan(7_000);
    relay.hangs = false;
    await eventually('it grants again', async () => (await checkout(server)).status === 201, { deadlineMs: 15_000 });
    relay.close();
  }, 40_000);
});
