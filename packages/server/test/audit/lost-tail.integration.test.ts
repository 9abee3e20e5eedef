import { randomUUID } from 'node:crypto';
import { eventually } from '@evergrant/test-support/eventually';
import { FollowedDatabase } from '@evergrant/test-support/server/followed-database';
import { LICENSE, PRODUCT, type RunningServer, TestWorld } from '@evergrant/test-support/server/test-world';
import { isCovered, verifiedAt } from '@evergrant/test-support/server/verify-command';
import { connectLicenseDatabase } from '../../src/platform/postgres/license-database';

/** Two real databases. One stops before the follower has everything, and the audit log reports the loss. */
let databases: FollowedDatabase;
let world: TestWorld;
let oregon: RunningServer;
let virginia: RunningServer;

const SLOW = { deadlineMs: 45_000, everyMs: 100 };
jest.setTimeout(90_000);

function at(region: 'oregon' | 'virginia') {
  const instance = region === 'oregon' ? databases.primary : databases.follower;
  const followerName = region === 'oregon' ? 'virginia_follower' : 'oregon_follower';
  return world.startGranting({
    region,
    authorityLeaseMs: 2_000,
    checkpointEveryMs: 300,
    wrapDatabase: () =>
      connectLicenseDatabase(databases.address(instance), { server: `${region}/app-1`, followerName }),
  });
}

async function checkout(server: RunningServer): Promise<void> {
  const body = { product: PRODUCT, feature: 'runner', seats: 1, holder: 'room' };
  expect((await server.call('PUT', `/v1/leases/${randomUUID()}`, body)).status).toBe(201);
}

beforeAll(async () => {
  databases = await FollowedDatabase.create(LICENSE);
  world = await TestWorld.create();
  oregon = await at('oregon');
}, 60_000);

afterAll(async () => {
  await world?.close();
  await databases?.drop();
});

it('lost events: before the loss the log verifies, and a follower refuses verification', async () => {
  await checkout(oregon);
  await eventually('everything has a checkpoint', () => isCovered(oregon), SLOW);
  const standby = await world.start({
    region: 'virginia',
    wrapDatabase: () =>
      connectLicenseDatabase(databases.address(databases.follower), { server: 'virginia/app-2', followerName: 'none' }),
  });
  await expect(verifiedAt(standby)).rejects.toMatchObject({ code: 'log_lags' });
  await standby.stop();
});

it('lost events: Virginia declares the events lost with Oregon, and the log verifies', async () => {
  await databases.follower.stop();
  // The follower has none of these, and the checkpoints know of all.
  for (let count = 0; count < 5; count += 1) await checkout(oregon);
  await eventually('everything has a checkpoint', () => isCovered(oregon), SLOW);
  const [lost] = await databases.primary.query<{ chain: string; seq: number }>(
    `select chain, seq::int from audit_chain where chain <> 'system' order by seq desc limit 1`,
  );
  await Promise.all([oregon.stop(), databases.primary.kill()]);

  await databases.follower.start();
  await databases.follower.query('select pg_promote()');
  // Before any server has opened its epoch: this stands where Oregon had written something else.
  const [kept] = await databases.follower.query<{ seq: number }>('select seq::int from audit_chain where chain = $1', [
    lost?.chain,
  ]);
  await databases.follower.query(`update lease set holder = 'an operator was here'`);
  await world.authority.latch({ epoch: 2, region: 'virginia' });
  await world.authority.open();
  virginia = await at('virginia');
  await checkout(virginia);
  await eventually('everything has a checkpoint', () => isCovered(virginia), SLOW);
  const { findings, summary } = await verifiedAt(virginia);
  expect(findings).toEqual([]);
  expect(summary.declaredLosses).toEqual([
    { chain: lost?.chain, epoch: 1, lastSeq: kept?.seq, checkpointSeq: lost?.seq },
  ]);
  expect(summary.unknownTails).toEqual([{ epoch: 1, since: expect.stringMatching(/Z$/) }]);
  expect(kept!.seq).toBeLessThanOrEqual(lost!.seq - 5);
  expect(virginia.logLines).toContainEqual(
    expect.objectContaining({ audit: 'audit_gap', chain: lost?.chain, epoch: 1 }),
  );
});

it('lost events: a server that starts later does not declare them again', async () => {
  const declarations = async () =>
    (await databases.follower.query(`select from audit_event where kind = 'audit_gap'`)).length;
  const before = await declarations();
  expect(before).toBeGreaterThan(0);
  const another = await at('virginia');
  await checkout(another);
  await eventually('everything has a checkpoint', () => isCovered(another), SLOW);
  expect(await declarations()).toBe(before);
  await another.stop();
});

it('lost events: without the declaration the loss is a finding', async () => {
  await virginia.stop();
  await databases.follower.query(`
    alter table audit_event disable trigger audit_only_grows;
    delete from audit_event where kind = 'audit_gap';
    alter table audit_event enable always trigger audit_only_grows`);
  const reader = await world.startGranting({
    region: 'virginia',
    checkpointEveryMs: 3_000_000,
    wrapDatabase: () =>
      connectLicenseDatabase(databases.address(databases.follower), { server: 'virginia/app-9', followerName: 'none' }),
  });
  const { findings } = await verifiedAt(reader);
  expect(findings.map(({ code }) => code)).toEqual(expect.arrayContaining(['events_missing', 'loss_undeclared']));
});
