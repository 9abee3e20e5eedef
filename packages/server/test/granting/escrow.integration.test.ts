import { randomUUID } from 'node:crypto';
import { lsnBytes } from '@evergrant/core/lsn';
import { eventually } from '@evergrant/test-support/eventually';
import { FollowedDatabase } from '@evergrant/test-support/server/followed-database';
import {
  type LicenseDraft,
  PRODUCT,
  type RunningServer,
  type TestResponse,
  TestWorld,
} from '@evergrant/test-support/server/test-world';
import type { LicenseDatabase } from '../../src/platform/postgres/license-database';
import { connectLicenseDatabase } from '../../src/platform/postgres/license-database';

/**
 * S2 and S6 with two servers, a primary database and a follower that really streams. What the servers hear of its
 * acknowledgements can be held up, as by a slow link.
 */
const ESCROW = 4;
const LICENSE: LicenseDraft = {
  licenseId: 'lic-1',
  customer: 'Acme',
  product: PRODUCT,
  entitlements: ['slow', 'shared', 'alone', 'long', 'back', 'lost'].map((feature) => ({
    feature,
    seats: 100,
    escrow: ESCROW,
    leaseTtlSeconds: 600,
  })),
};
const UNPROTECTED_AFTER_MS = 3_000;

let databases: FollowedDatabase;
let world: TestWorld;
let servers: RunningServer[];
/** While set, nothing newer is heard of the follower. */
let heldUpAt: Promise<string | undefined> | undefined;

beforeAll(async () => {
  databases = await FollowedDatabase.create(LICENSE);
  world = await TestWorld.create();
  servers = await Promise.all([1, 2].map((n) => startOregon(`oregon/app-${n}`)));
}, 60_000);

afterAll(async () => {
  await world?.close();
  await databases?.drop();
});

function startOregon(name: string): Promise<RunningServer> {
  return world.startGranting({
    name,
    authorityLeaseMs: 2_000,
    unprotectedAfterMs: UNPROTECTED_AFTER_MS,
    wrapDatabase: (): LicenseDatabase => {
      const options = { server: name, followerName: 'virginia_follower' };
      const database = connectLicenseDatabase(databases.address(databases.primary), options);
      return {
        ...database,
        replication: {
          ...database.replication,
          readAcknowledged: () => heldUpAt ?? database.replication.readAcknowledged(),
        },
      };
    },
  });
}

async function holdUp(): Promise<void> {
  const [row] = await databases.primary.query<{ lsn: string }>(
    'select flush_lsn::text as lsn from pg_stat_replication',
  );
  heldUpAt = Promise.resolve(row?.lsn);
}

interface CheckoutOptions {
  leaseId?: string;
  seats?: number;
  token?: string;
}

function checkout(feature: string, server = servers[0]!, { leaseId = randomUUID(), ...wanted }: CheckoutOptions = {}) {
  const body = { product: PRODUCT, feature, seats: 1, holder: 'room', ...wanted };
  return server.call('PUT', `/v1/leases/${leaseId}`, body);
}

/** What has been answered so far. */
function settled(answers: readonly Promise<TestResponse>[]): { readonly done: TestResponse[] } {
  const done: TestResponse[] = [];
  for (const answer of answers) void answer.then((each) => done.push(each));
  return { done };
}

async function taken(feature: string): Promise<number> {
  const [row] = await databases.primary.query<{ taken: number }>(
    `select seats_taken as taken from pool where feature = '${feature}'`,
  );
  return row?.taken ?? -1;
}

describe('while the follower is slow', () => {
  afterEach(() => {
    heldUpAt = undefined;
  });

  it('no more than the escrow is answered, whichever servers are asked; the rest when it has caught up', async () => {
    // Nothing of this pool is under way.
    for (const server of servers) await checkout('shared', server);
    await eventually('the follower has it', async () => (await checkout('shared')).status === 201);
    const before = await taken('shared');
    await holdUp();
    const answers = Array.from({ length: 12 }, (_, n) => checkout('shared', servers[n % 2]));
    const { done } = settled(answers);
    await eventually('all are committed', async () => (await taken('shared')) === before + 12);
    await new Promise((resume) => setTimeout(resume, 300));
    expect(done.length).toBeLessThanOrEqual(ESCROW);
    heldUpAt = undefined;
    const all = await Promise.all(answers);
    expect(new Set(all.map((answer) => answer.status))).toEqual(new Set([201]));
  });

  it('a wish for more than the escrow waits for that very grant, and is answered', async () => {
    const answer = checkout('slow', servers[0], { seats: ESCROW * 3 });
    expect((await answer).status).toBe(201);
    const [row] = await databases.primary.query<{ acked: number; seq: number }>(
      `select acked_seq::int as acked, grant_seq::int as seq from pool where feature = 'slow'`,
    );
    expect(row).toEqual({ acked: 0, seq: ESCROW * 3 });
    // What the server learned of the first grant is written with the next.
    await checkout('slow');
    const [next] = await databases.primary.query<{ acked: number }>(
      `select acked_seq::int as acked from pool where feature = 'slow'`,
    );
    expect(next?.acked).toBe(ESCROW * 3);
  });

  it('one that cannot be answered in time is found again by the same request, from any server', async () => {
    await holdUp();
    expect((await checkout('alone', servers[0], { seats: ESCROW })).status).toBe(201);
    const leaseId = randomUUID();
    const late = await checkout('alone', servers[0], { leaseId });
    expect(late).toMatchObject({ status: 503, body: { code: 'not_protected' } });
    expect(late.headers['retry-after']).toBe('1');
    // Nor does a heartbeat answer for it.
    const heartbeat = servers[1]!.call('POST', `/v1/leases/${leaseId}/heartbeat`);
    const { done } = settled([heartbeat]);
    await new Promise((resume) => setTimeout(resume, 300));
    expect(done).toEqual([]);
    heldUpAt = undefined;
    expect((await heartbeat).status).toBe(200);
    expect(await checkout('alone', servers[1], { leaseId })).toMatchObject({ status: 201, body: { leaseId } });
    expect(await taken('alone')).toBe(ESCROW + 1);
  }, 30_000);

  it('what has been answered before is answered again, with its token, without waiting', async () => {
    const { body } = await checkout('back', servers[0], { seats: ESCROW + 1 });
    await holdUp();
    // The other server has not heard that the follower has it.
    const { status } = await servers[1]!.call('POST', `/v1/leases/${body.leaseId}/heartbeat`, { token: body.token });
    expect(status).toBe(200);
  });
});

describe('without a follower', () => {
  beforeAll(async () => {
    // Known to be acknowledged: from here every pool has its escrow.
    for (const server of servers) await checkout('long', server, { seats: 2 });
    await eventually('it is acknowledged', async () => {
      const [row] = await databases.primary.query<{ lsn: string }>(
        'select flush_lsn::text as lsn from pg_stat_replication',
      );
      const [now] = await databases.primary.query<{ lsn: string }>('select pg_current_wal_flush_lsn()::text as lsn');
      return lsnBytes(row!.lsn) >= lsnBytes(now!.lsn);
    });
    await checkout('long');
    await databases.follower.stop();
  });

  it('the escrow may still be granted; what goes beyond is refused, takes no seat, and is said at once', async () => {
    const answers: TestResponse[] = [];
    const before = await taken('long');
    for (let n = 0; n < ESCROW + 3; n++) answers.push(await checkout('long'));
    const granted = answers.filter((answer) => answer.status === 201).length;
    expect(granted).toBeLessThanOrEqual(ESCROW);
    expect(answers.at(-1)).toMatchObject({ status: 503, body: { code: 'not_protected' } });
    const fromMs = performance.now();
    expect((await checkout('long')).status).toBe(503);
    expect(performance.now() - fromMs).toBeLessThan(1_000);
    // One more may have been committed before the server knew that the follower was gone.
    expect((await taken('long')) - before).toBeLessThanOrEqual(granted + 1);
  });

  it('goes on once that is on record in the authority store, and not before', async () => {
    await eventually('it grants beyond the escrow', async () => (await checkout('long')).status === 201, {
      deadlineMs: 15_000,
    });
    expect(await world.authority.unprotectedEpoch()).toBe(1);
    for (let n = 0; n < 3 * ESCROW; n++) expect((await checkout('long', servers[n % 2])).status).toBe(201);
    const said = servers.flatMap((server) => server.logLines).filter((line) => line.alert === 'granting-unprotected');
    expect(said.length).toBeGreaterThanOrEqual(1);
    const { body } = await servers[0]!.call('GET', '/metrics', undefined, null);
    expect(body).toMatch(/evergrant_unprotected [01]/);
  });

  it('an epoch that opens after it holds back every free seat', async () => {
    const [row] = await databases.primary.query<{ held: number }>(
      `select 100 - seats_taken as held from pool where feature = 'lost'`,
    );
    const database = connectLicenseDatabase(databases.address(databases.primary), {
      server: 'virginia/app-1',
      followerName: 'oregon_follower',
    });
    // As it would open in a database that has seen epoch 1 begin, and not what was granted in it; taken back after.
    const opened = database.epochs.open({
      ...{ epoch: 2, region: 'virginia', openedBy: 'virginia/app-1' },
      policy: { authorityLeaseMs: 2_000, skewMs: 500 },
      unprotected: { epoch: 1, since: 'then' },
      lapsedAtMs: Date.now(),
    });
    expect(await opened).toMatchObject({ kind: 'opened', possibleLoss: 'anything' });
    const held = await databases.primary.query<{ held: number; awaited: number }>(
      `select seats_held_back as held, seats_awaited as awaited from pool where feature = 'lost'`,
    );
    expect(held[0]).toEqual({ held: row?.held, awaited: 100 });
    await databases.primary.query('delete from epoch where epoch = 2');
    await databases.primary.query('update pool set awaited_until = clock_timestamp()');
    await database.close();
    await eventually('epoch 1 grants again', () => servers.every((each) => each.role.verdict().kind === 'granting'));
  });

  it('waits again when the follower is back and has everything, and the record is cleared', async () => {
    await databases.startFollower();
    await eventually('the record is cleared', async () => (await world.authority.unprotectedEpoch()) === null, {
      deadlineMs: 20_000,
    });
    const [row] = await databases.primary.query<{ unprotected: boolean }>(
      'select unprotected_since is not null as unprotected from epoch',
    );
    expect(row?.unprotected).toBe(false);
    await eventually('a grant is protected', async () => (await checkout('long')).status === 201);
  });

  it('does not grant unprotected while the authority store cannot record it', async () => {
    await world.authority.database.refuseConnections(true);
    await databases.follower.stop();
    const until = performance.now() + UNPROTECTED_AFTER_MS + 1_500;
    const answers: TestResponse[] = [];
    await eventually('the time has passed', async () => {
      answers.push(await checkout('back'));
      return performance.now() > until;
    });
    // The proof of authority has expired, or the escrow is used up. Nothing was granted beyond it.
    const granted = answers.filter((answer) => answer.status === 201);
    expect(granted.length).toBeLessThanOrEqual(ESCROW);
    await world.authority.database.refuseConnections(false);
    expect(await world.authority.unprotectedEpoch()).toBeNull();
  }, 30_000);
});
