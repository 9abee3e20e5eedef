import { mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { clusterHome } from '@evergrant/local-cluster/postgres/binaries';
import { copyRunning, markAsFollower, unfinishedCopy } from '@evergrant/local-cluster/postgres/copies';
import { ADMIN_ROLE, PostgresInstance } from '@evergrant/local-cluster/postgres/instance';
import { eventually } from '@evergrant/test-support/eventually';
import { freePort } from '@evergrant/test-support/free-port';
import { FollowedDatabase } from '@evergrant/test-support/server/followed-database';
import { LICENSE } from '@evergrant/test-support/server/test-world';
import { connectLicenseDatabase, type LicenseDatabase } from '../../src/platform/postgres/license-database';

const PASSWORD = 'only-for-tests';
const SLOTS = 'select pg_create_physical_replication_slot(name) from unnest($1::text[]) as slots (name)';

/** Settings of a database that subscribes to another one. */
const SUBSCRIBER = { max_replication_slots: '4', max_worker_processes: '16', wal_level: 'logical' };

/** On AWS the pattern `%` matches every follower, and each follower has a slot (RDS). */
let databases: FollowedDatabase;
let second: PostgresInstance;
let folder: string;
let onAws: LicenseDatabase;
let byName: LicenseDatabase;

const source = (name: string): string =>
  `host=127.0.0.1 port=${databases.primary.port} user=${ADMIN_ROLE} password=${PASSWORD} application_name=${name}`;

const following = (name: string, slot: string) => ({
  settings: {
    primary_conninfo: source(name),
    primary_slot_name: slot,
    wal_receiver_status_interval: '1s',
    wal_retrieve_retry_interval: '200ms',
  },
});

beforeAll(async () => {
  databases = await FollowedDatabase.create(LICENSE);
  await databases.primary.stop();
  await databases.primary.start({ settings: { max_replication_slots: '4', wal_level: 'logical' } });
  await databases.primary.query(SLOTS, [['promotable', 'second']]);
  folder = mkdtempSync(join(tmpdir(), 'evergrant-second-'));
  second = new PostgresInstance({
    name: 'second',
    directory: join(clusterHome(folder), 'second'),
    port: await freePort(),
    logFile: join(folder, 'second.log'),
    adminPassword: PASSWORD,
  });
  await copyRunning(databases.primary.connection(), second, { silentAfterMs: 10_000 });
  renameSync(unfinishedCopy(second), second.directory);
  markAsFollower(second);
  await databases.follower.stop();
  await databases.follower.start(following('virginia_follower', 'promotable'));
  const connect = (followerName: string) =>
    connectLicenseDatabase(databases.address(databases.primary), { server: 'oregon/app-1', followerName });
  onAws = connect('%');
  byName = connect('virginia_follower');
}, 90_000);

afterAll(async () => {
  await onAws?.close();
  await byName?.close();
  await second?.kill();
  await databases?.drop();
  rmSync(folder, { recursive: true, force: true });
});

/** Whether the acknowledgement of a beacon that is written now counts. */
async function acknowledges(database: LicenseDatabase): Promise<boolean> {
  const lsn = await database.epochs.writeBeacon();
  for (let look = 0; look < 20; look++) {
    const { beaconAcknowledged } = await database.epochs.observe(lsn);
    if (beaconAcknowledged) return true;
    await new Promise((resume) => setTimeout(resume, 100));
  }
  return false;
}

async function streaming(count: number): Promise<void> {
  await eventually(
    `${count} stream`,
    async () =>
      (await databases.primary.query(`select from pg_stat_replication where state = 'streaming'`)).length === count,
  );
}

describe('follower: an unused slot, and then a second follower, beside the promotable one', () => {
  it('are counted, so that no acknowledgement counts', async () => {
    await streaming(1);
    const unused = await onAws.epochs.observe(undefined);
    expect(unused).toMatchObject({ followers: 2, followerStreaming: false });
    await second.start(following('walreceiver', 'second'));
    await streaming(2);
    expect(await onAws.epochs.observe(undefined)).toMatchObject({ followers: 2, followerStreaming: false });
    expect(await acknowledges(onAws)).toBe(false);
    expect(await onAws.replication.readAcknowledged()).toBeUndefined();
  });

  it('do not hide the promotable one when it has a separate name', async () => {
    expect(await byName.epochs.observe(undefined)).toMatchObject({ followers: 1, followerStreaming: true });
    expect(await acknowledges(byName)).toBe(true);
  });

  it('are not taken for the promotable one while it is stopped', async () => {
    await databases.follower.stop();
    await streaming(1);
    expect(await onAws.epochs.observe(undefined)).toMatchObject({ followers: 2, followerStreaming: false });
    expect(await acknowledges(onAws)).toBe(false);
    expect(await onAws.replication.readAcknowledged()).toBeUndefined();
    expect(await byName.epochs.observe(undefined)).toMatchObject({ followers: 0, followerStreaming: false });
  });

  it('with the name of the promotable one make the name ambiguous', async () => {
    await second.stop();
    await databases.follower.start(following('virginia_follower', 'promotable'));
    await second.start(following('virginia_follower', 'second'));
    await streaming(2);
    expect(await byName.epochs.observe(undefined)).toMatchObject({ followers: 2, followerStreaming: false });
    expect(await byName.replication.readAcknowledged()).toBeUndefined();
  });

  it('leave the promotable one alone when they are removed', async () => {
    await second.stop();
    await databases.primary.query(`select pg_drop_replication_slot('second')`);
    await streaming(1);
    expect(await onAws.epochs.observe(undefined)).toMatchObject({ followers: 1, followerStreaming: true });
    expect(await acknowledges(onAws)).toBe(true);
    expect(await onAws.replication.readAcknowledged()).toBeDefined();
  });
});

describe('follower: a logical subscriber', () => {
  it('never counts', async () => {
    const { primary } = databases;
    await second.start({ settings: { ...following('walreceiver', '').settings, ...SUBSCRIBER } });
    await streaming(2);
    await second.query('select pg_promote()');
    await streaming(1);
    await databases.follower.stop();
    await primary.query(`select pg_drop_replication_slot('promotable')`);
    await primary.query('create publication everything for all tables');
    await second.query(
      `create subscription subscriber connection '${source('virginia_follower')} dbname=postgres'
       publication everything with (copy_data = false)`,
    );
    await streaming(1);
    for (const database of [onAws, byName]) {
      expect(await database.epochs.observe(undefined)).toMatchObject({ followers: 0, followerStreaming: false });
      expect(await database.replication.readAcknowledged()).toBeUndefined();
    }
  });
});
