import { randomUUID } from 'node:crypto';
import { eventually } from '@evergrant/test-support/eventually';
import { PRODUCT, type RunningServer, TestWorld } from '@evergrant/test-support/server/test-world';
import { isCovered } from '@evergrant/test-support/server/verify-command';
import { planCheckpoints } from '../../src/audit/core/checkpointing';
import { connectCheckpointStore } from '../../src/audit/sql/checkpoint-store';
import type { StoredCheckpoint } from '../../src/audit/store';

const head = (chain: string, seq: number) => ({ chain, seq, hash: 'ab'.repeat(32) });
const checkpoint = (chain: string, number: number, epoch: number, seq: number): StoredCheckpoint => ({
  chain,
  number,
  epoch,
  seq,
  jws: `${chain} ${number}`,
});

describe('planCheckpoints', () => {
  it('plans the first checkpoint of a chain, and the next one when it has grown', () => {
    const plan = planCheckpoints([head('pool/1', 3), head('system', 9)], [checkpoint('system', 4, 1, 7)], 1);
    expect(plan.due.map(({ head: of, number, follows }) => [of.chain, number, follows?.number])).toEqual([
      ['pool/1', 1, undefined],
      ['system', 5, 4],
    ]);
  });

  it('plans one checkpoint per epoch for an unchanged chain', () => {
    const newest = [checkpoint('system', 4, 1, 7)];
    expect(planCheckpoints([head('system', 7)], newest, 1).due).toEqual([]);
    expect(planCheckpoints([head('system', 7)], newest, 2).due).toHaveLength(1);
  });

  it('plans none for a chain that was set back', () => {
    const plan = planCheckpoints([head('system', 6)], [checkpoint('system', 4, 1, 7)], 1);
    expect(plan).toMatchObject({ due: [], setBack: [{ head: { chain: 'system' } }] });
    expect(planCheckpoints([head('system', 6)], [checkpoint('system', 4, 1, 7)], 2).setBack).toEqual([]);
  });
});

describe('CheckpointStore', () => {
  let world: TestWorld;
  let store: ReturnType<typeof connectCheckpointStore>;
  const oregon = { epoch: 1, region: 'oregon' };

  beforeEach(async () => {
    world = await TestWorld.create();
    store = connectCheckpointStore(world.authority.database.address('evergrant_server'), 'oregon/app-1');
  });
  afterEach(async () => {
    await store.close();
    await world.close();
  });

  it('stores each number once', async () => {
    expect(await store.add([checkpoint('system', 1, 1, 1), checkpoint('system', 1, 1, 2)], oregon)).toBe(1);
    expect(await store.add([checkpoint('system', 1, 1, 3), checkpoint('system', 2, 1, 3)], oregon)).toBe(1);
    const { checkpoints, idleMs } = await store.newest(['system', 'pool/1']);
    expect(checkpoints).toMatchObject([{ chain: 'system', number: 2, seq: 3 }]);
    expect(idleMs).toBeLessThan(60_000);
  });

  it('refuses a region that does not hold the epoch', async () => {
    await world.authority.latch({ epoch: 2, region: 'virginia' });
    expect(await store.add([checkpoint('system', 1, 1, 1)], oregon)).toBe(0);
    expect(await store.add([checkpoint('system', 1, 2, 1)], { epoch: 2, region: 'oregon' })).toBe(0);
    expect(await store.add([checkpoint('system', 1, 2, 1)], { epoch: 2, region: 'virginia' })).toBe(1);
  });

  it('returns the newest checkpoint of each chain in each earlier epoch', async () => {
    await store.add(
      [checkpoint('pool/1', 1, 1, 5), checkpoint('pool/1', 2, 1, 9), checkpoint('system', 1, 1, 3)],
      oregon,
    );
    await world.authority.latch({ epoch: 2, region: 'oregon' });
    const second = { epoch: 2, region: 'oregon' };
    await store.add([checkpoint('pool/1', 3, 2, 12), checkpoint('pool/7', 1, 2, 1)], second);
    const told = async (epoch: number) =>
      (await store.newestBefore(epoch)).map(({ chain, number }) => `${chain} ${number}`);
    expect(await told(1)).toEqual([]);
    expect(await told(2)).toEqual(['pool/1 2', 'system 1']);
    expect(await told(3)).toEqual(['pool/1 2', 'pool/1 3', 'pool/7 1', 'system 1']);
  });

  it('is read in pages of one instant', async () => {
    await store.add(
      [1, 2, 3, 4].map((number) => checkpoint('pool/1', number, 1, number)),
      oregon,
    );
    const first = await store.read({ limit: 3 });
    await store.add([checkpoint('pool/1', 5, 1, 5)], oregon);
    const rest = await store.read({ limit: 3, after: { chain: 'pool/1', number: 3 }, until: first.asOf });
    expect([...first.checkpoints, ...rest.checkpoints].map(({ number }) => number)).toEqual([1, 2, 3, 4]);
    expect((await store.read({ limit: 9, chains: ['system'] })).checkpoints).toEqual([]);
  });

  it.each([
    ['change', `update audit_checkpoint set seq = 1`],
    ['remove', 'delete from audit_checkpoint'],
    ['empty', 'truncate audit_checkpoint'],
  ])('does not allow anyone to %s it', async (_verb, sql) => {
    await store.add([checkpoint('system', 1, 1, 1)], oregon);
    const { database } = world.authority;
    await expect(database.as('evergrant_server', (client) => client.query(sql))).rejects.toThrow('permission denied');
    await expect(database.query(sql)).rejects.toThrow('checkpoints are append-only');
  });
});

describe('CheckpointWriter', () => {
  let world: TestWorld;
  const SLOW = { deadlineMs: 20_000, everyMs: 50 };

  beforeEach(async () => {
    world = await TestWorld.create();
  });
  afterEach(() => world.close());

  async function checkout(server: RunningServer): Promise<void> {
    const body = { product: PRODUCT, feature: 'runner', seats: 1, holder: 'room' };
    expect((await server.call('PUT', `/v1/leases/${randomUUID()}`, body)).status).toBe(201);
  }

  const stored = async () =>
    (await world.authority.database.query<{ count: number }>('select count(*)::int as count from audit_checkpoint'))[0]!
      .count;

  it('signs changed chains only', async () => {
    const server = await world.startGranting({ checkpointEveryMs: 100 });
    await checkout(server);
    await eventually('everything has a checkpoint', () => isCovered(server), SLOW);
    const before = await stored();
    // Each look takes longer than the interval.
    for (let round = 0; round < 5; round += 1) expect(await isCovered(server)).toBe(true);
    expect(await stored()).toBe(before);
    await checkout(server);
    await eventually('it has signed the new event', async () => (await stored()) === before + 1, SLOW);
  });

  it('skips its turn after a recent checkpoint of another server', async () => {
    const [one, two] = await Promise.all([
      world.startGranting({ checkpointEveryMs: 600 }),
      world.startGranting({ checkpointEveryMs: 600 }),
    ]);
    for (let count = 0; count < 10; count += 1) await checkout(count % 2 === 0 ? one : two);
    await eventually('everything has a checkpoint', () => isCovered(one), SLOW);
    const rows = await world.authority.database.query<{ chain: string; ms: number }>(
      `select chain, extract(epoch from stored_at - lag(stored_at) over (partition by chain order by number))::float8 * 1000 as ms
       from audit_checkpoint`,
    );
    expect(rows.filter(({ ms }) => ms !== null && ms < 450)).toEqual([]);
  });

  it('raises an alert instead of signing a chain that was set back', async () => {
    const server = await world.startGranting({ checkpointEveryMs: 100 });
    await checkout(server);
    await eventually('everything has a checkpoint', () => isCovered(server), SLOW);
    const [chain] = await world.database.query<{ chain: string }>(
      `select chain from audit_chain where chain <> 'system' order by seq desc limit 1`,
    );
    const before = await stored();
    await world.database.query(`update audit_chain set seq = seq - 1 where chain = $1`, [chain?.chain]);
    await eventually(
      'it says so',
      () => server.logLines.some((line) => line.alert === 'audit-set-back' && line.chain === chain?.chain),
      SLOW,
    );
    expect(await stored()).toBe(before);
  });

  it('keeps granting while the store is unreachable, and raises one alert', async () => {
    const server = await world.startGranting({ checkpointEveryMs: 100, authorityLeaseMs: 60_000 });
    await world.authority.database.refuseConnections(true);
    await checkout(server);
    const failures = () =>
      server.logLines.filter((line) => line.msg === 'no checkpoint of the audit log could be stored');
    await eventually('it says so', () => failures().length > 0, SLOW);
    await checkout(server);
    expect(failures()).toHaveLength(1);
    const scrape = async () => String((await server.call('GET', '/metrics')).body);
    await eventually(
      'it is seen',
      async () =>
        /evergrant_audit_unproven_seconds 0\.[2-9]|evergrant_audit_unproven_seconds [1-9]/.test(await scrape()),
      SLOW,
    );
    await world.authority.database.refuseConnections(false);
    await eventually('everything has a checkpoint', () => isCovered(server), SLOW);
  });
});
