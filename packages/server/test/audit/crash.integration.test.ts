import { randomUUID } from 'node:crypto';
import { eventually } from '@evergrant/test-support/eventually';
import { FollowedDatabase } from '@evergrant/test-support/server/followed-database';
import { LICENSE, PRODUCT, type RunningServer, TestWorld } from '@evergrant/test-support/server/test-world';
import { isCovered, verifiedAt } from '@evergrant/test-support/server/verify-command';
import { connectLicenseDatabase } from '../../src/platform/postgres/license-database';

/** Two servers that grant at once, and a database that is killed under them again and again. */
let databases: FollowedDatabase;
let world: TestWorld;
let servers: RunningServer[];

jest.setTimeout(120_000);

beforeAll(async () => {
  databases = await FollowedDatabase.create(LICENSE);
  world = await TestWorld.create();
  const start = (server: string) =>
    world.startGranting({
      name: server,
      checkpointEveryMs: 300,
      wrapDatabase: () =>
        connectLicenseDatabase(databases.address(databases.primary), { server, followerName: 'virginia_follower' }),
    });
  servers = await Promise.all([start('oregon/app-1'), start('oregon/app-2')]);
});

afterAll(async () => {
  await world?.close();
  await databases?.drop();
});

it('leave a log without gaps that contains every answered change', async () => {
  const granted = new Set<string>();
  const released = new Set<string>();
  let going = true;
  const clients = Array.from({ length: 12 }, async (_, index) => {
    while (going) {
      const server = servers[index % servers.length]!;
      const leaseId = randomUUID();
      const body = {
        product: PRODUCT,
        feature: index % 3 === 0 ? 'studio' : 'runner',
        seats: 1,
        holder: `room-${index}`,
      };
      if ((await server.call('PUT', `/v1/leases/${leaseId}`, body)).status !== 201) continue;
      granted.add(leaseId);
      if ((await server.call('DELETE', `/v1/leases/${leaseId}`)).status === 204) released.add(leaseId);
    }
  });
  for (let crash = 1; crash <= 2; crash += 1) {
    const before = released.size;
    await eventually('there is traffic', () => released.size > before + 40, { deadlineMs: 40_000 });
    await databases.primary.kill();
    await databases.primary.start();
  }
  const before = released.size;
  await eventually('there is traffic again', () => released.size > before + 40, { deadlineMs: 40_000 });
  going = false;
  await Promise.all(clients);

  await eventually('everything has a checkpoint', () => isCovered(servers[0]!), { deadlineMs: 30_000, everyMs: 100 });
  const { findings, summary } = await verifiedAt(servers[1]!);
  expect(findings).toEqual([]);
  expect(summary.events).toBeGreaterThan(granted.size);
  const told = async (kind: string) =>
    new Set(
      (
        await databases.primary.query<{ lease: string }>(
          `select body ->> 'lease' as lease from audit_event where kind = '${kind}'`,
        )
      ).map(({ lease }) => lease),
    );
  const [grantsTold, releasesTold] = [await told('lease_granted'), await told('lease_released')];
  expect([...granted].filter((id) => !grantsTold.has(id))).toEqual([]);
  expect([...released].filter((id) => !releasesTold.has(id))).toEqual([]);
});
