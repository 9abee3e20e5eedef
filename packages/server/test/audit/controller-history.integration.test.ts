import { eventually } from '@evergrant/test-support/eventually';
import { allEvents, SYSTEM, statement } from '@evergrant/test-support/server/audit';
import { TestWorld } from '@evergrant/test-support/server/test-world';
import type { ControllerEntry } from '../../src/audit/store';
import { connectLicenseDatabase } from '../../src/platform/postgres/license-database';

let world: TestWorld;

beforeEach(async () => {
  world = await TestWorld.create();
});
afterEach(() => world.close());

const operator = { command: 'pause', by: 'ada', reason: 'works in the data centre' };
const phase = { operationId: 'op-1', operation: 'failover', phase: 'latch', tookMs: 12, because: 'the store took it' };

async function told() {
  const events = await allEvents(world.database);
  return events
    .filter(({ chain, kind }) => chain === SYSTEM && kind.startsWith('controller_'))
    .map(({ kind, actor, body }) => ({ kind, actor, ...JSON.parse(body) }));
}

const complete = (count: number) =>
  eventually(`${count} entries are in the log`, async () => (await told()).length >= count);

it('ControllerHistoryImporter: imports each entry once and in order with several servers', async () => {
  await world.authority.note('operator', operator);
  await Promise.all([1, 2].map(() => world.startGranting({ checkpointEveryMs: 100 })));
  await complete(1);
  await world.authority.note('operation-started', {
    operationId: 'op-1',
    operation: 'failover',
    by: 'bob',
    reason: '',
  });
  await world.authority.note('phase', phase);
  await complete(3);
  expect(await told()).toEqual([
    { kind: 'controller_operator', actor: 'ada', entry: 1, at: expect.any(String), detail: operator },
    expect.objectContaining({ kind: 'controller_operation_started', actor: 'bob', entry: 2 }),
    { kind: 'controller_phase', actor: 'controller', entry: 3, at: expect.any(String), detail: phase },
  ]);
});

it('ControllerHistoryImporter: imports a history longer than one batch', async () => {
  await world.authority.database.query(
    `insert into history (kind, detail) select 'verdict', json_build_object('to', 'healthy') from generate_series(1, 450)`,
  );
  await world.startGranting({ checkpointEveryMs: 100 });
  await complete(450);
  expect((await told()).map(({ entry }) => entry)).toEqual(Array.from({ length: 450 }, (_, index) => index + 1));
});

it('ControllerHistoryImporter: logs a failure once, keeps granting, and catches up', async () => {
  await world.authority.database.query('alter table history rename to away');
  await world.authority.database.query(`insert into away (kind, detail) values ('operator', '{"by": "ada"}')`);
  const server = await world.startGranting({ checkpointEveryMs: 50 });
  const complaints = () => server.logLines.filter(({ msg }) => String(msg).includes('history could not be imported'));
  await eventually('it says so', () => complaints().length > 0);
  expect(server.role.verdict().kind).toBe('granting');
  await world.authority.database.query('alter table away rename to history');
  await complete(1);
  expect(complaints()).toHaveLength(1);
});

describe('the log', () => {
  const entry = (id: number): ControllerEntry => ({
    id,
    atMs: 1_700_000_000_000 + id,
    kind: 'operator',
    detail: { id },
  });

  async function adding(entries: readonly ControllerEntry[], epoch: number, region = 'oregon') {
    const database = connectLicenseDatabase(world.database.address('evergrant_server'), {
      server: 'oregon/app-9',
      followerName: 'virginia_follower',
    });
    try {
      const outcome = await database.audit.addControllerEntries(entries, { epoch, region });
      return { outcome, newest: await database.audit.newestControllerEntry() };
    } finally {
      await database.close();
    }
  }

  beforeEach(() =>
    world.database.query(`insert into epoch (epoch, region, opened_by) values (1, 'oregon', 'oregon/app-1')`),
  );

  it('stores each entry once', async () => {
    expect(await adding([entry(2), entry(1)], 1)).toMatchObject({ outcome: { result: 2 }, newest: 2 });
    expect(await adding([entry(1), entry(2), entry(5)], 1)).toMatchObject({ outcome: { result: 1 }, newest: 5 });
    expect(await adding([entry(5)], 1)).toMatchObject({ outcome: { result: 0 }, newest: 5 });
    expect((await told()).map(({ entry: id, at }) => [id, at])).toEqual([
      [1, '2023-11-14T22:13:20.001+00:00'],
      [2, '2023-11-14T22:13:20.002+00:00'],
      [5, '2023-11-14T22:13:20.005+00:00'],
    ]);
  });

  it('refuses entries of a region that has lost its epoch', async () => {
    expect((await adding([entry(1)], 2)).outcome.kind).not.toBe('done');
    expect(await adding([entry(1)], 1, 'virginia')).toMatchObject({ newest: 0 });
    expect(await told()).toEqual([]);
  });

  it('accepts entries only from servers', async () => {
    const setBack = 'update audit_controller_history set newest_entry = 0';
    await expect(statement(world.database, 'evergrant_server', setBack)).rejects.toThrow('permission denied');
    const bringIn = `select evergrant_audit_controller_history('[]')`;
    await expect(statement(world.database, 'evergrant_controller', bringIn)).rejects.toThrow('permission denied');
  });
});
