import { randomUUID } from 'node:crypto';
import { eventually } from '@evergrant/test-support/eventually';
import { PRODUCT, type RunningServer, TestWorld } from '@evergrant/test-support/server/test-world';
import { connectAuthorityStore } from '../../src/epochs/sql/authority-store';
import type { MonotonicClock } from '../../src/platform/clock';
import type { LicenseDatabase } from '../../src/platform/postgres/license-database';

let world: TestWorld;
let startedAt: number;

beforeEach(async () => {
  startedAt = Date.now();
  world = await TestWorld.create();
});

afterEach(() => world.close());

const BODY = { product: PRODUCT, feature: 'studio', seats: 1, holder: 'room-1' };
const LEASE_MS = 3_000;

/** A clock that can jump, as a process's does when it is stopped and continued. */
class JumpingClock implements MonotonicClock {
  #jumpedMs = 0;

  nowMs(): number {
    return performance.now() + this.#jumpedMs;
  }

  jump(ms: number): void {
    this.#jumpedMs += ms;
  }
}

/** Runs `after` between the commit and the answer of the next write. */
function afterCommit(
  database: LicenseDatabase,
  hook: { after?: (() => void | Promise<void>) | undefined },
): LicenseDatabase {
  const wrap =
    <Arguments extends unknown[], Result>(call: (...given: Arguments) => Promise<Result>) =>
    async (...given: Arguments): Promise<Result> => {
      const result = await call(...given);
      await hook.after?.();
      hook.after = undefined;
      return result;
    };
  const { leases } = database;
  return {
    ...database,
    leases: { ...leases, grant: wrap(leases.grant), renew: wrap(leases.renew), release: wrap(leases.release) },
  };
}

function checkout(server: RunningServer, leaseId = randomUUID()) {
  return server.call('PUT', `/v1/leases/${leaseId}`, BODY);
}

describe('what was committed is not acknowledged', () => {
  it('by a process that was stopped for longer than its authority lasts; asked again, it is', async () => {
    const clock = new JumpingClock();
    const hook: { after?: () => void } = {};
    const server = await world.startGranting({ clock, wrapDatabase: (database) => afterCommit(database, hook) });
    hook.after = () => clock.jump(LEASE_MS + 1_000);
    const leaseId = randomUUID();
    const answer = await checkout(server, leaseId);
    expect(answer).toMatchObject({ status: 503, body: { code: 'not_granting', reason: 'authority_unproven' } });
    expect((await world.counts('studio')).taken).toBe(1);

    await eventually('it has renewed', () => server.role.verdict().kind === 'granting');
    expect((await checkout(server, leaseId)).status).toBe(201);
    expect((await world.counts('studio')).taken).toBe(1);
  });

  it.each(['POST', 'DELETE'] as const)('and so with %s', async (method) => {
    const clock = new JumpingClock();
    const hook: { after?: () => void } = {};
    const server = await world.startGranting({ clock, wrapDatabase: (database) => afterCommit(database, hook) });
    const { leaseId } = (await checkout(server)).body;
    hook.after = () => clock.jump(LEASE_MS + 1_000);
    const answer = await server.call(method, `/v1/leases/${leaseId}${method === 'POST' ? '/heartbeat' : ''}`);
    expect(answer).toMatchObject({ status: 503, body: { code: 'not_granting' } });
  });

  it('once a newer epoch has been seen, though its proof is fresh', async () => {
    const hook: { after?: () => Promise<void> } = {};
    const server = await world.startGranting({
      authorityLeaseMs: 60_000,
      wrapDatabase: (database) => afterCommit(database, hook),
    });
    hook.after = async () => {
      await world.authority.latch({ epoch: 2, region: 'virginia' });
      await eventually('it has seen the latch', () => server.role.verdict().kind === 'not_granting');
    };
    expect(await checkout(server)).toMatchObject({
      status: 503,
      body: {
        code: 'not_granting',
        reason: 'authority_elsewhere',
        activeRegion: 'virginia',
        address: 'http://virginia.test',
      },
    });
  });
});

describe('authority', () => {
  it('is renewed by a server beside a writable database, and recorded', async () => {
    await world.startGranting();
    const first = await world.authority.renewedAt();
    await eventually('it is renewed again', async () => Number(await world.authority.renewedAt()) > Number(first));
  });

  it('of a store whose clock is set back keeps the later time of renewal', async () => {
    const ahead = new Date(Date.now() + 60_000);
    await world.authority.database.query('update authority set renewed_at = $1', [ahead]);
    const store = connectAuthorityStore(world.authority.database.address('evergrant_server'), 'oregon/app-1');
    const { renewedEpoch } = await store.renew({ region: 'oregon', server: 'oregon/app-1', renew: true });
    await store.close();
    expect(renewedEpoch).toBe(1);
    expect(await world.authority.renewedAt()).toEqual(ahead);
  });

  it('has a unique mark for each record of unprotected grants, which an earlier clear does not remove', async () => {
    const store = connectAuthorityStore(world.authority.database.address('evergrant_server'), 'oregon/app-1');
    const epoch = { epoch: 1, region: 'oregon' };
    const recorded = async () =>
      (await store.renew({ region: 'oregon', server: 'oregon/app-1', renew: false })).record.unprotected;
    await store.recordUnprotected(epoch);
    const since = (await recorded())?.since ?? '';
    await store.clearUnprotected(epoch, since);
    expect(await recorded()).toBeUndefined();
    // The store's clock is set back to before the first record.
    await world.authority.database.query(
      `update authority set unprotected_since = unprotected_since + interval '1 day'`,
    );
    await store.recordUnprotected(epoch);
    await store.clearUnprotected(epoch, since);
    const newest = await recorded();
    await store.close();
    expect(newest?.epoch).toBe(1);
    expect(Date.parse(newest?.since ?? '')).toBeGreaterThan(Date.parse(since));
  });

  it('of the other region is left alone', async () => {
    const virginia = await world.start({ region: 'virginia' });
    const reason = 'authority_elsewhere';
    await eventually('it has looked', () => {
      const verdict = virginia.role.verdict();
      return verdict.kind === 'not_granting' && verdict.reason === reason;
    });
    expect(await world.authority.renewedAt()).toBeNull();
    expect(await checkout(virginia)).toMatchObject({
      status: 503,
      headers: { 'retry-after': '1', 'content-type': 'application/problem+json' },
      body: {
        code: 'not_granting',
        reason,
        activeRegion: 'oregon',
        address: 'http://oregon.test',
      },
    });
    expect((await virginia.call('GET', '/readyz')).status).toBe(200);
  });

  it('lost stops a server at once', async () => {
    const server = await world.startGranting({ authorityLeaseMs: 60_000 });
    await world.authority.latch({ epoch: 2, region: 'virginia' });
    await eventually('it stops', () => server.role.verdict().kind === 'not_granting', { deadlineMs: 2_000 });
    expect((await server.call('GET', '/v1/status')).body).toEqual({
      region: 'oregon',
      server: 'oregon/app-1',
      granting: false,
      epoch: 2,
      activeRegion: 'virginia',
      reason: 'authority_elsewhere',
    });
    expect(server.logLines).toContainEqual(
      expect.objectContaining({ announce: 'oregon/app-1 stops granting: authority_elsewhere' }),
    );
  });

  it('that is latched and not yet open lets nobody grant', async () => {
    const oregon = await world.startGranting();
    await oregon.stop();
    await world.authority.latch({ epoch: 2, region: 'virginia' });
    const virginia = await world.start({ region: 'virginia' });
    await eventually(
      'it waits for the opening',
      async () => (await virginia.call('GET', '/v1/status')).body.reason === 'epoch_not_open',
    );
    expect((await checkout(virginia)).body).toMatchObject({
      code: 'not_granting',
      reason: 'epoch_not_open',
      activeRegion: 'virginia',
    });
    await world.authority.open();
    await eventually('it grants', () => virginia.role.verdict().kind === 'granting');
    expect((await checkout(virginia)).body).toMatchObject({ epoch: 2, servedBy: 'virginia/app-2' });
  });

  it('lapses when neither the store nor a follower proves it', async () => {
    const server = await world.startGranting({ authorityLeaseMs: 1_000 });
    await world.authority.database.refuseConnections(true);
    await eventually('it lapses', () => server.role.verdict().kind === 'not_granting');
    expect(await checkout(server)).toMatchObject({
      status: 503,
      body: { reason: 'authority_unproven', activeRegion: 'oregon' },
    });
    await world.authority.database.refuseConnections(false);
    await eventually('it grants again', () => server.role.verdict().kind === 'granting');
  });

  it('is counted from before the renewal was sent: an answer that took longer than the lease proves nothing', async () => {
    const server = await world.start({
      authorityLeaseMs: 400,
      wrapAuthority: (store) => ({
        ...store,
        renew: async (request) => {
          const answer = await store.renew(request);
          await new Promise((resume) => setTimeout(resume, 500));
          return answer;
        },
      }),
    });
    await eventually('three renewals were answered', async () => {
      expect(server.role.verdict().kind).toBe('not_granting');
      return Number(await world.authority.renewedAt()) > startedAt + 1_500;
    });
    expect((await checkout(server)).body).toMatchObject({ code: 'not_granting', reason: 'authority_unproven' });
  });

  it('is proven by the follower alone, even to a server that starts while the store is away', async () => {
    await (await world.startGranting()).stop();
    await world.authority.database.refuseConnections(true);
    const beacons: string[] = [];
    const server = await world.startGranting({
      authorityLeaseMs: 2_000,
      wrapDatabase: (database) => ({
        ...database,
        epochs: {
          ...database.epochs,
          writeBeacon: async () => {
            const lsn = await database.epochs.writeBeacon();
            beacons.push(lsn);
            return lsn;
          },
          // A follower that has flushed everything that was written before the observation.
          observe: async (lsn) => ({
            ...(await database.epochs.observe(lsn)),
            followerStreaming: true,
            beaconAcknowledged: lsn !== undefined && beacons.includes(lsn),
          }),
        },
      }),
    });
    expect((await checkout(server)).status).toBe(201);
    const grantingUntil = performance.now() + 4_000;
    await eventually('it has granted for twice its authority lease', () => {
      expect(server.role.verdict().kind).toBe('granting');
      return performance.now() > grantingUntil;
    });
  });

  it('is not proven by a follower that streams and acknowledges nothing new', async () => {
    const server = await world.startGranting({
      authorityLeaseMs: 1_000,
      wrapDatabase: (database) => ({
        ...database,
        epochs: {
          ...database.epochs,
          observe: async (lsn) => ({ ...(await database.epochs.observe(lsn)), followerStreaming: true }),
        },
      }),
    });
    await world.authority.database.refuseConnections(true);
    await eventually('it lapses', () => server.role.verdict().kind === 'not_granting');
  });
});
