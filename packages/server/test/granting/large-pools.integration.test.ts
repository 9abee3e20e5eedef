import { TestDatabase } from '@evergrant/test-support/test-database';
import type { Client } from 'pg';
import { EXPIRE_LEASES, LOCK_POOLS_DUE } from '../../src/granting/sql/expire-leases';
import { RECLAIM_EXPIRED } from '../../src/granting/sql/grant-leases';

/** Live leases of a pool that must cost a grant or a sweep nothing. */
const LIVE = 5_000;
const LAPSED = 3;
const POOL_ID = 1;

let database: TestDatabase;

beforeAll(async () => {
  database = await TestDatabase.clone();
  await database.query(`insert into license (id, customer, product) values ('lic-1', 'Acme', 'Assembler')`);
  await database.query(
    `insert into pool (id, license_id, product, feature, seats, lease_ttl_seconds, escrow)
     overriding system value values ($1, 'lic-1', 'Assembler', 'runner', 100000, 600, 10)`,
    [POOL_ID],
  );
  await database.query(
    `insert into lease (id, pool_id, holder, seats, seq, epoch, granted_at, expires_at)
     select gen_random_uuid(), $1, 'room', 1, number, 1, clock_timestamp(),
       clock_timestamp() + case when number <= $3 then interval '-1 s' else interval '1 h' end
     from generate_series(1, $2::int) number`,
    [POOL_ID, LIVE, LAPSED],
  );
  await database.query('vacuum analyze lease');
});

afterAll(() => database.drop());

interface PlanNode {
  readonly 'Relation Name'?: string;
  readonly 'Actual Rows': number;
  readonly 'Actual Loops': number;
  readonly 'Rows Removed by Filter'?: number;
  readonly Plans?: readonly PlanNode[];
}

/** How many leases a statement looks at; it is rolled back. */
async function leasesRead(client: Client, statement: string, values: unknown[]): Promise<number> {
  await client.query('begin');
  const explained = await client.query<{ 'QUERY PLAN': { Plan: PlanNode }[] }>(
    `explain (analyze, format json) ${statement}`,
    values,
  );
  await client.query('rollback');
  const read = (node: PlanNode): number => {
    const own = (node['Actual Rows'] + (node['Rows Removed by Filter'] ?? 0)) * node['Actual Loops'];
    const ofLeases = node['Relation Name'] === 'lease' ? own : 0;
    return (node.Plans ?? []).reduce((sum, child) => sum + read(child), ofLeases);
  };
  return read(explained.rows[0]!['QUERY PLAN'][0]!.Plan);
}

describe.each(['force_custom_plan', 'force_generic_plan'])(
  'with %s, of 5,000 live leases of which 3 have lapsed',
  (mode) => {
    test.each([
      ['a grant', RECLAIM_EXPIRED, [POOL_ID]],
      ['a sweep, looking for pools', LOCK_POOLS_DUE, [[]]],
      ['a sweep, ending leases', EXPIRE_LEASES, [[POOL_ID]]],
    ])('%s reads only those that have', async (_who, statement, values) => {
      const read = await database.as('evergrant_owner', async (client) => {
        await client.query(`set plan_cache_mode = ${mode}`);
        return leasesRead(client, statement, values);
      });
      // Found, locked, updated.
      expect(read).toBeLessThanOrEqual(LAPSED * 4);
      expect(read).toBeGreaterThan(0);
    });
  },
);
