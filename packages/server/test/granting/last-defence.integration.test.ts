import { randomUUID } from 'node:crypto';
import { importForTest } from '@evergrant/test-support/server/test-licenses';
import { TestDatabase } from '@evergrant/test-support/test-database';

/** Past the core, straight into the tables: the database itself keeps the promise. */
let database: TestDatabase;

beforeEach(async () => {
  database = await TestDatabase.clone();
  await database.as('evergrant_owner', (client) =>
    importForTest(client, {
      licenseId: 'lic-1',
      customer: 'Acme',
      product: 'Assembler',
      entitlements: [
        { feature: 'studio', seats: 10 },
        { feature: 'runner', seats: 10 },
      ],
    }),
  );
});

afterEach(() => database.drop());

async function insert(
  seats: number[],
  feature = 'studio',
  role: 'evergrant_server' | 'evergrant_owner' = 'evergrant_server',
): Promise<void> {
  await database.as(role, (client) =>
    client.query(
      `insert into lease (id, pool_id, holder, seats, seq, epoch, granted_at, expires_at)
       select id, (select id from pool where feature = $3), 'room', seats, 0, 1, now(), now() + interval '1 h'
       from unnest($1::uuid[], $2::int[]) as l (id, seats)`,
      [seats.map(() => randomUUID()), seats, feature],
    ),
  );
}

async function pool(feature = 'studio'): Promise<{ taken: number; held: number; over: number }> {
  const rows = await database.query<{ taken: number; held: number; over: number }>(
    'select seats_taken as taken, seats_held_back as held, seats_over as over from pool where feature = $1',
    [feature],
  );
  return rows[0]!;
}

const OVERSOLD = /pool_never_oversold/;

it('a lease too many is refused', async () => {
  await insert([4, 6]);
  await expect(insert([1])).rejects.toThrow(OVERSOLD);
  expect(await pool()).toEqual({ taken: 10, held: 0, over: 0 });
});

it('a batch of which one is too many is refused whole', async () => {
  await expect(insert([4, 4, 4])).rejects.toThrow(OVERSOLD);
  expect((await pool()).taken).toBe(0);
});

it('many sessions at once stop at the last seat', async () => {
  const outcomes = await Promise.allSettled(Array.from({ length: 30 }, () => insert([1])));
  expect(outcomes.filter((outcome) => outcome.status === 'fulfilled')).toHaveLength(10);
  expect((await pool()).taken).toBe(10);
});

it('what is held back cannot be sold', async () => {
  await database.query(`update pool set seats_awaited = 3, seats_held_back = 3 where feature = 'studio'`);
  await insert([7]);
  await expect(insert([1])).rejects.toThrow(OVERSOLD);
});

it('a seat that comes free refills what is held back', async () => {
  await insert([5, 5]);
  await database.query(`update pool set seats_awaited = 3 where feature = 'studio'`);
  await database.query(
    `update lease set state = 'released', ended_at = now() where id = (select id from lease limit 1)`,
  );
  expect(await pool()).toEqual({ taken: 5, held: 3, over: 0 });
  await expect(insert([3])).rejects.toThrow(OVERSOLD);
  await insert([2]);
});

it('seats counted twice are paid back by the next that come free', async () => {
  await insert([5, 5]);
  await database.query(`update pool set seats_over = 5 where feature = 'studio'`);
  await insert([5]);
  expect(await pool()).toEqual({ taken: 15, held: 0, over: 5 });
  await database.query(
    `update lease set state = 'released', ended_at = now() where id = (select id from lease limit 1)`,
  );
  expect(await pool()).toEqual({ taken: 10, held: 0, over: 0 });
  await expect(insert([1])).rejects.toThrow(OVERSOLD);
});

it('ending, reviving, moving and deleting leases is all counted', async () => {
  await insert([2, 3]);
  await insert([4], 'runner');
  await database.query(`update lease set state = 'expired', ended_at = now() where seats = 2`);
  expect((await pool()).taken).toBe(3);
  await database.query(`update lease set state = 'live', ended_at = null where seats = 2`);
  expect((await pool()).taken).toBe(5);
  await database.query(`update lease set pool_id = (select id from pool where feature = 'runner') where seats = 2`);
  expect([(await pool()).taken, (await pool('runner')).taken]).toEqual([3, 6]);
  await database.query(`update lease set seats = 1 where seats = 3`);
  expect((await pool()).taken).toBe(1);
  await database.query('delete from lease');
  expect([(await pool()).taken, (await pool('runner')).taken]).toEqual([0, 0]);
});

describe('a server', () => {
  it.each([
    ['change how many seats there are', `update pool set seats = 99`],
    ['delete a lease', `delete from lease`],
    ['close an epoch', `select evergrant_close_epoch(1)`],
    ['rewrite an epoch', `update epoch set region = 'virginia'`],
    ['make itself a token', `insert into api_token values ('x', decode(repeat('00', 32), 'hex'), '{admin}')`],
    ['change what a lease takes', `update lease set seats = 1`],
  ])('cannot %s', async (_what, sql) => {
    await expect(database.as('evergrant_server', (client) => client.query(sql))).rejects.toThrow(/permission denied/);
  });
});
