/** A database of the previous release becomes one of this release, while its servers work on it. */
import { randomUUID } from 'node:crypto';
import { eventually } from '@evergrant/test-support/eventually';
import { TestAuthority } from '@evergrant/test-support/server/authority-record';
import { LICENSE, PRODUCT, TestWorld } from '@evergrant/test-support/server/test-world';
import { TestDatabase } from '@evergrant/test-support/test-database';
import { migrate } from '../../src/platform/postgres/migrations';
import { type OldServer, PreviousRelease } from './support/previous-release';

jest.setTimeout(120_000);

let release: PreviousRelease;
let database: TestDatabase;
let world: TestWorld;
let old: OldServer;

beforeEach(async () => {
  release = new PreviousRelease();
  database = await TestDatabase.empty();
  await release.migrate(database, LICENSE);
  world = await TestWorld.around(database, await TestAuthority.create());
  old = await release.startGranting('oregon/app-1', { database, authority: world.authority.database });
});

afterEach(async () => {
  await world.close();
  release.remove();
});

const runMigrations = (): Promise<string[]> => database.as('evergrant_owner', (client) => migrate(client));

const checkout = (seats: number, leaseId: string = randomUUID()) =>
  old.call('PUT', `/v1/leases/${leaseId}`, { product: PRODUCT, feature: 'runner', seats, holder: 'room-1' });

it('keeps every lease and every count', async () => {
  const held = await Promise.all([1, 2, 3].map((seats) => checkout(seats)));
  const [first, second] = held;
  await old.call('DELETE', `/v1/leases/${first?.body.leaseId}`);
  const leases = 'select id, seats, seq, epoch, state, holder, granted_at, ended_at from lease order by id';
  const before = await database.query(leases);
  await old.stop();

  await runMigrations();
  expect(await database.query(leases)).toEqual(before);
  expect(await world.counts('runner')).toMatchObject({ live: 5, taken: 5, seats: 100_000 });

  // Nothing new is granted by what no vendor has signed: the license file comes with the migration.
  await world.importLicense(LICENSE);
  const fresh = await world.startGranting({ name: 'oregon/app-2' });
  const body = { product: PRODUCT, feature: 'runner', seats: 1, holder: 'room-2' };
  expect((await fresh.call('PUT', `/v1/leases/${randomUUID()}`, body)).status).toBe(201);
  const renewed = await fresh.call('POST', `/v1/leases/${second?.body.leaseId}/heartbeat`, {
    token: second?.body.token,
  });
  expect(renewed.status).toBe(200);
  const ended = await fresh.call('POST', `/v1/leases/${first?.body.leaseId}/heartbeat`, { token: first?.body.token });
  expect(ended.body.code).toBe('lease_released');
});

it('is migrated under its working servers: they pause, and lose nothing', async () => {
  let going = true;
  const acknowledged: string[] = [];
  const refusals: number[] = [];
  const rooms = Array.from({ length: 4 }, async () => {
    while (going) {
      const leaseId = randomUUID();
      const answer = await checkout(1, leaseId);
      if (answer.status === 201) acknowledged.push(leaseId);
      else refusals.push(answer.status);
    }
  });
  try {
    await eventually('there is traffic', () => acknowledged.length > 20, { deadlineMs: 30_000 });
    await runMigrations();
    const sofar = acknowledged.length;
    await eventually('the old server grants on', () => acknowledged.length > sofar + 20, { deadlineMs: 30_000 });
  } finally {
    going = false;
    await Promise.allSettled(rooms);
  }

  // A request may have met the locks of a migration: the answer asks the caller to retry.
  expect(refusals.filter((status) => status !== 503)).toEqual([]);
  const rows = await database.query<{ id: string }>(`select id from lease where state = 'live'`);
  const known = new Set(rows.map(({ id }) => id));
  expect(acknowledged.filter((id) => !known.has(id))).toEqual([]);
  const { live, taken } = await world.counts('runner');
  expect(taken).toBe(live);
});

it('is not granted from by a server of this release before it is migrated, and the log says what to do', async () => {
  const fresh = await world.startWatching({ name: 'oregon/app-2' });
  const refused = await eventually('it has looked at the database', async () => {
    const status = (await fresh.call('GET', '/v1/status', undefined, null)).body;
    return status.reason === 'starting' ? undefined : status;
  });
  expect(refused).toMatchObject({ granting: false, reason: 'schema_outdated' });
  for (const probe of ['/readyz', '/startupz']) {
    const answer = await fresh.call('GET', probe, undefined, null);
    expect(answer).toMatchObject({ status: 503, body: { reason: 'schema_outdated' } });
  }
  expect(fresh.logLines).toContainEqual(
    expect.objectContaining({ announce: expect.stringMatching(/run the migrations of this release first/) }),
  );
  expect((await checkout(1)).status).toBe(201);

  await runMigrations();
  await eventually('it grants once the schema is there', () => fresh.role.verdict().kind === 'granting');
  expect((await fresh.call('GET', '/startupz', undefined, null)).status).toBe(200);
});
