import { Relay } from '@evergrant/test-support/server/relay';
import { TestDatabase } from '@evergrant/test-support/test-database';
import type { Pool } from 'pg';
import type { DatabaseFailure } from '../../src/platform/database-failure';
import { openPool } from '../../src/platform/postgres/connection';
import { batchInEpoch } from '../../src/platform/postgres/transaction';

const EXPECTED = { epoch: 1, region: 'oregon' };
const INSERT = { text: `insert into license (id, customer, product) values ($1, 'Acme', 'Assembler')` };
const insert = (id: string) => ({ ...INSERT, values: [id] });

let database: TestDatabase;
let relay: Relay;
let pool: Pool;

beforeEach(async () => {
  database = await TestDatabase.clone();
  await database.query(`insert into epoch (epoch, region, opened_by) values (1, 'oregon', 'the test')`);
  const address = database.address('evergrant_owner');
  relay = new Relay(address.port);
  const options = { applicationName: 'test', connectionsMax: 2, timeLimits: { query_timeout: 700 } };
  pool = openPool({ ...address, port: await relay.listen() }, options);
});

afterEach(async () => {
  relay.close();
  await pool.end().catch(() => undefined);
  await database.drop();
});

const licenses = async (): Promise<string[]> =>
  (await database.query<{ id: string }>('select id from license order by id')).map(({ id }) => id);

function failureOf(work: Promise<unknown>): Promise<DatabaseFailure> {
  return work.then(
    () => {
      throw new Error('it did not fail');
    },
    (failure: DatabaseFailure) => failure,
  );
}

it('hands on what the opening statements found, in their order', async () => {
  const opening = [{ text: 'select 1 as one' }, { name: 'two', text: 'select $1::int as two', values: [2] }];
  const outcome = await batchInEpoch(pool, { expected: EXPECTED, opening }, async (_transaction, opened) => opened);
  expect(outcome).toMatchObject({ kind: 'done', result: [[{ one: 1 }], [{ two: 2 }]] });
});

it('has committed what was written when it resolves', async () => {
  await batchInEpoch(pool, { expected: EXPECTED, opening: [] }, async (transaction) => {
    transaction.write(insert('a'));
    transaction.write(insert('b'));
  });
  expect(await licenses()).toEqual(['a', 'b']);
});

it('writes nothing at all when one of the writes is refused, and says that nothing happened', async () => {
  const work = batchInEpoch(pool, { expected: EXPECTED, opening: [] }, async (transaction) => {
    transaction.write(insert('a'));
    transaction.write(insert('a'));
    void transaction.commit();
  });
  expect(await failureOf(work)).toMatchObject({ kind: 'contention', outcomeUnknown: false });
  expect(await licenses()).toEqual([]);
});

it('writes nothing when its work gives up', async () => {
  const work = batchInEpoch(pool, { expected: EXPECTED, opening: [] }, async (transaction) => {
    transaction.write(insert('a'));
    throw new TypeError('a broken invariant');
  });
  expect(await failureOf(work)).toMatchObject({ kind: 'fault' });
  expect(await licenses()).toEqual([]);
});

it('refuses without writing when another epoch is open', async () => {
  let asked = false;
  const outcome = await batchInEpoch(pool, { expected: { ...EXPECTED, epoch: 2 }, opening: [] }, async () => {
    asked = true;
  });
  expect(outcome).toEqual({ kind: 'not_granting', reason: 'epoch_not_open' });
  expect(asked).toBe(false);
});

it('knows that nothing was committed while the commit was not sent', async () => {
  const work = batchInEpoch(pool, { expected: EXPECTED, opening: [] }, async (transaction) => {
    relay.hangs = true;
    await transaction.query({ text: 'select 1' });
  });
  expect(await failureOf(work)).toMatchObject({ kind: 'unreachable', outcomeUnknown: false });
});

it('does not know what became of writes whose commit travelled with them and was not answered', async () => {
  const work = batchInEpoch(pool, { expected: EXPECTED, opening: [] }, async (transaction) => {
    relay.hangs = true;
    transaction.write(insert('a'));
  });
  expect(await failureOf(work)).toMatchObject({ kind: 'unreachable', outcomeUnknown: true });
});

it('does not know it either when the answer to the last statement is what got lost', async () => {
  const work = batchInEpoch(pool, { expected: EXPECTED, opening: [] }, async (transaction) => {
    relay.hangs = true;
    const last = transaction.query({ text: 'select 1' });
    void transaction.commit();
    await last;
  });
  expect(await failureOf(work)).toMatchObject({ kind: 'unreachable', outcomeUnknown: true });
});

it('does not use a connection again on which anything failed', async () => {
  await failureOf(
    batchInEpoch(pool, { expected: EXPECTED, opening: [{ text: 'select 1 / 0' }] }, async () => undefined),
  );
  expect(pool.totalCount).toBe(0);
});
