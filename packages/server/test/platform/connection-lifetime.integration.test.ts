import { eventually } from '@evergrant/test-support/eventually';
import { TestDatabase } from '@evergrant/test-support/test-database';
import { openPool, withConnection } from '../../src/platform/postgres/connection';

let database: TestDatabase;

beforeAll(async () => {
  database = await TestDatabase.clone();
});

afterAll(() => database.drop());

it('a connection in use all the time is replaced when it is old: the name may lead to another database by then', async () => {
  const address = database.address('evergrant_server');
  const pool = openPool(address, { applicationName: 'test', connectionsMax: 1, lifetimeSeconds: 1 });
  const backend = () =>
    withConnection(
      pool,
      async (client) => (await client.query('select pg_backend_pid() as pid')).rows[0].pid as number,
    );
  try {
    const first = await backend();
    expect(await backend()).toBe(first);
    const another = async () => (await backend()) !== first;
    await eventually('another connection', another, { deadlineMs: 20_000, everyMs: 20 });
  } finally {
    await pool.end();
  }
});
