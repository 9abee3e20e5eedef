import { randomUUID } from 'node:crypto';
import { mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { clusterHome } from '../../local/postgres/binaries';
import { copyRunning, markAsFollower, unfinishedCopy } from '../../local/postgres/copies';
import { ADMIN_ROLE, PostgresInstance } from '../../local/postgres/instance';
import { connectAuthorityStore } from '../../server/postgres/authority-store';
import type { DatabaseAddress } from '../../server/postgres/connection';
import { connectLicenseDatabase } from '../../server/postgres/license-database';
import { migrate } from '../../server/postgres/migrations';
import { registerTokens } from '../../server/postgres/register-tokens';
import { eventually } from '../support/eventually';
import { Relay } from './support/relay';
import { importForTest } from './support/test-licenses';
import { LICENSE, PRODUCT, type RunningServer, TestWorld, TOKENS } from './support/test-world';

/** A primary database with a follower that really streams: what an acknowledgement proves, and what it stops proving. */
const PRIMARY_PORT = 18_110;
const FOLLOWER_PORT = 18_111;
const ADMIN_PASSWORD = 'only-for-tests';

let folder: string;
let home: string;
let primary: PostgresInstance;
let follower: PostgresInstance;
let world: TestWorld;
/** Between Oregon and the authority store. */
let relay: Relay;
let oregon: RunningServer;

function instance(name: string, port: number): PostgresInstance {
  return new PostgresInstance({
    name,
    directory: join(home, name),
    port,
    logFile: join(home, `${name}.log`),
    adminPassword: ADMIN_PASSWORD,
  });
}

function address(port: number): DatabaseAddress {
  return { host: '127.0.0.1', port, name: 'postgres', user: ADMIN_ROLE, password: ADMIN_PASSWORD };
}

async function startFollower(): Promise<void> {
  await follower.start({
    settings: {
      primary_conninfo: `host=127.0.0.1 port=${PRIMARY_PORT} user=${ADMIN_ROLE} password=${ADMIN_PASSWORD} application_name=virginia_follower`,
      wal_receiver_status_interval: '1s',
      wal_retrieve_retry_interval: '200ms',
    },
  });
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'evergrant-follower-'));
  home = clusterHome(folder);
  primary = instance('primary', PRIMARY_PORT);
  follower = instance('follower', FOLLOWER_PORT);
  await primary.init();
  await primary.start();
  const client = new Client(primary.connection());
  await client.connect();
  await migrate(client);
  await importForTest(client, LICENSE);
  await registerTokens(client, [{ name: 'client', token: TOKENS.client, scopes: ['lease'] }]);
  await client.end();
  await copyRunning(primary.connection(), follower, { silentAfterMs: 10_000 });
  renameSync(unfinishedCopy(follower), follower.directory);
  markAsFollower(follower);
  await startFollower();
  world = await TestWorld.create();
  const store = world.authority.database.address('evergrant_server');
  relay = new Relay(store.port);
  const port = await relay.listen();
  oregon = await world.startGranting({
    authorityLeaseMs: 2_000,
    wrapAuthority: () => connectAuthorityStore({ ...store, port }, 'oregon/app-1'),
    wrapDatabase: () =>
      connectLicenseDatabase(address(PRIMARY_PORT), { server: 'oregon/app-1', followerName: 'virginia_follower' }),
  });
}, 60_000);

afterAll(async () => {
  await world?.close();
  relay?.close();
  await Promise.all([primary?.kill(), follower?.kill()]);
  for (const each of [folder, home]) rmSync(each, { recursive: true, force: true });
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
  await follower.stop();
  await eventually('it stops', () => oregon.role.verdict().kind === 'not_granting');
  expect(await checkout(oregon)).toMatchObject({ status: 503, body: { reason: 'authority_unproven' } });
  await startFollower();
  await eventually('it grants', () => oregon.role.verdict().kind === 'granting');
});

it('grants without a follower while the store renews its authority', async () => {
  await world.authority.database.refuseConnections(false);
  await follower.stop();
  await eventually('the store is back', async () => {
    const renewedAt = await world.authority.renewedAt();
    return renewedAt !== null && Date.now() - renewedAt.getTime() < 1_000;
  });
  await grantsFor(3_000);
  await startFollower();
});

it('stops when the follower is promoted behind its back: a promoted follower acknowledges nothing', async () => {
  await eventually(
    'the follower streams again',
    async () => (await primary.query(`select from pg_stat_replication where state = 'streaming'`)).length > 0,
  );
  await world.authority.database.refuseConnections(true);
  await grantsFor(3_000);
  await follower.query('select pg_promote()');
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
      connectLicenseDatabase(address(FOLLOWER_PORT), { server: 'virginia/app-1', followerName: 'oregon_follower' }),
  });
  const answer = await checkout(virginia);
  expect(answer.body).toMatchObject({ epoch: 2 });
  const [pool] = await follower.query<{ taken: number; held: number }>(
    `select seats_taken as taken, seats_held_back as held from pool where feature = 'runner'`,
  );
  expect(pool?.taken).toBeGreaterThan(0);
  expect(pool?.held).toBe(10);
  await eventually('Oregon knows', () => oregon.role.newestEpoch?.region === 'virginia');
  expect((await checkout(oregon)).body).toMatchObject({
    code: 'not_granting',
    reason: 'authority_elsewhere',
    activeRegion: 'virginia',
  });
});
