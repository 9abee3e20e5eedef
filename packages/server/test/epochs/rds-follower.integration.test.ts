import { eventually } from '@evergrant/test-support/eventually';
import { FollowedDatabase } from '@evergrant/test-support/server/followed-database';
import { LICENSE } from '@evergrant/test-support/server/test-world';
import type { LicenseDatabase } from '../../src/platform/postgres/license-database';
import { connectLicenseDatabase } from '../../src/platform/postgres/license-database';

/** A follower that RDS made: how it calls itself is not ours to say, so any name is taken for its. */
let databases: FollowedDatabase;
let primary: LicenseDatabase;

beforeAll(async () => {
  databases = await FollowedDatabase.create(LICENSE);
  const address = databases.address(databases.primary);
  primary = connectLicenseDatabase(address, { server: 'oregon/app-1', followerName: '%' });
}, 60_000);

afterAll(async () => {
  await primary?.close();
  await databases?.drop();
});

it('is seen streaming, and acknowledges beacons, under any name', async () => {
  const lsn = await primary.epochs.writeBeacon();
  await eventually('the beacon is acknowledged', async () => {
    const seen = await primary.epochs.observe(lsn);
    return seen.followerStreaming && seen.beaconAcknowledged;
  });
});

it('acknowledges grants under any name: what waits for the follower is answered', async () => {
  await eventually(
    'it is known how far it has flushed',
    async () => (await primary.replication.readAcknowledged()) !== undefined,
  );
});

it('replays a commit with every beacon: the lag that RDS measures does not grow while nobody checks out', async () => {
  const replayed = async () =>
    (await databases.follower.query<{ at: string }>('select pg_last_xact_replay_timestamp()::text as at'))[0]?.at;
  await primary.epochs.writeBeacon();
  await eventually('something was replayed', async () => (await replayed()) != null);
  const before = await replayed();
  await primary.epochs.writeBeacon();
  await eventually('the beacon was replayed as a commit', async () => (await replayed()) !== before);
});
