import { randomUUID } from 'node:crypto';
import { eventually } from '@evergrant/test-support/eventually';
import { FollowedDatabase } from '@evergrant/test-support/server/followed-database';
import { Relay } from '@evergrant/test-support/server/relay';
import {
  LICENSE,
  type LicenseDraft,
  PRODUCT,
  type RunningServer,
  TestWorld,
} from '@evergrant/test-support/server/test-world';
import { connectAuthorityStore } from '../../src/epochs/sql/authority-store';
import { connectLicenseDatabase } from '../../src/platform/postgres/license-database';

/** A primary database with a follower that really streams: what an acknowledgement proves, and what it stops proving. */
const ESCROW = 20_000;
/** More may be granted than any test here does before the follower has it: these tests are about authority. */
const GENEROUS: LicenseDraft = {
  ...LICENSE,
  entitlements: LICENSE.entitlements.map((each) => (each.feature === 'runner' ? { ...each, escrow: ESCROW } : each)),
};

let databases: FollowedDatabase;
let world: TestWorld;
/** Between Oregon and the authority store. */
let relay: Relay;
let oregon: RunningServer;

beforeAll(async () => {
  databases = await FollowedDatabase.create(GENEROUS);
  world = await TestWorld.create();
  const store = world.authority.database.address('evergrant_server');
  relay = new Relay(store.port);
  const port = await relay.listen();
  oregon = await world.startGranting({
    authorityLeaseMs: 2_000,
    wrapAuthority: () => connectAuthorityStore({ ...store, port }, 'oregon/app-1'),
    wrapDatabase: () =>
      connectLicenseDatabase(databases.address(databases.primary), {
        server: 'oregon/app-1',
        followerName: 'virginia_follower',
      }),
  });
}, 60_000);

afterAll(async () => {
  await world?.close();
  relay?.close();
  await databases?.drop();
});

function checkout(server: RunningServer) {
  return server.call('PUT', `/v1/leases/${randomUUID()}`, {
    product: PRODUCT,
    feature: 'runner',
    seats: 1,
    holder: 'room',
  });
}

async function grantsFor(durationMs: number): Promise<void> {
  const until = performance.now() + durationMs;
  await eventually('it has granted all the time', async () => {
    expect((await checkout(oregon)).status).toBe(201);
    return performance.now() > until;
  });
}

it('grants on acknowledgements alone while the authority store accepts and never answers', async () => {
  relay.hangs = true;
  await grantsFor(8_000);
  relay.hangs = false;
});

it('grants on acknowledgements alone while the authority store is away', async () => {
  await world.authority.database.refuseConnections(true);
  await grantsFor(4_000);
});

it('stops when the follower is gone as well, and goes on when it is back', async () => {
  await databases.follower.stop();
  await eventually('it stops', () => oregon.role.verdict().kind === 'not_granting');
  expect(await checkout(oregon)).toMatchObject({ status: 503, body: { reason: 'authority_unproven' } });
  await databases.startFollower();
  await eventually('it grants', () => oregon.role.verdict().kind === 'granting');
});

it('grants without a follower while the store renews its authority', async () => {
  await world.authority.database.refuseConnections(false);
  await databases.follower.stop();
  await eventually('the store is back', async () => {
    const renewedAt = await world.authority.renewedAt();
    return renewedAt !== null && Date.now() - renewedAt.getTime() < 1_000;
  });
  await grantsFor(3_000);
  await databases.startFollower();
});

it('stops when the follower is promoted behind its back: a promoted follower acknowledges nothing', async () => {
  await world.authority.database.refuseConnections(true);
  await grantsFor(3_000);
  await databases.follower.query('select pg_promote()');
  await eventually('it stops', () => oregon.role.verdict().kind === 'not_granting', { deadlineMs: 4_000 });
  expect((await checkout(oregon)).body.reason).toBe('authority_unproven');
});

it('has a promoted follower open the next epoch, with every lease extended and the escrow held back', async () => {
  await world.authority.database.refuseConnections(false);
  await world.authority.latch({ epoch: 2, region: 'virginia' });
  await world.authority.open();
  const virginia = await world.startGranting({
    region: 'virginia',
    authorityLeaseMs: 2_000,
    wrapDatabase: () =>
      connectLicenseDatabase(databases.address(databases.follower), {
        server: 'virginia/app-1',
        followerName: 'oregon_follower',
      }),
  });
  const answer = await checkout(virginia);
  expect(answer.body).toMatchObject({ epoch: 2 });
  const [pool] = await databases.follower.query<{ taken: number; held: number }>(
    `select seats_taken as taken, seats_held_back as held from pool where feature = 'runner'`,
  );
  expect(pool?.taken).toBeGreaterThan(0);
  expect(pool?.held).toBe(ESCROW);
  await eventually('Oregon knows', () => oregon.role.newestEpoch?.region === 'virginia');
  expect((await checkout(oregon)).body).toMatchObject({
    code: 'not_granting',
    reason: 'authority_elsewhere',
    activeRegion: 'virginia',
  });
});
