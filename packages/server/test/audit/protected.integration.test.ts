import { allEvents, auditedDatabase, poolChain, statement, takeSeats } from '@evergrant/test-support/server/audit';
import type { TestDatabase, TestRole } from '@evergrant/test-support/test-database';

let database: TestDatabase;

beforeAll(async () => {
  database = await auditedDatabase();
  await takeSeats(database, [1, 2]);
});

afterAll(() => database.drop());

const ROLES: readonly TestRole[] = ['evergrant_server', 'evergrant_controller', 'evergrant_owner', 'evergrant_admin'];
const LIMITED = ROLES.slice(0, 2);

describe.each(ROLES)('%s cannot', (role) => {
  it.each([
    ['change an event', `update audit_event set actor = 'nobody'`],
    ['remove an event', 'delete from audit_event'],
    ['empty the log', 'truncate audit_event'],
    ['remove a chain', 'delete from audit_chain'],
    ['empty the chains', 'truncate audit_chain'],
    [
      'change an event where triggers are off for replication',
      `set session_replication_role = replica; update audit_event set actor = ''`,
    ],
  ])('%s', async (_what, sql) => {
    const before = await allEvents(database);
    await expect(statement(database, role, sql)).rejects.toThrow(
      /permission denied|must be|the audit log is only added to/,
    );
    expect(await allEvents(database)).toEqual(before);
  });
});

describe.each(LIMITED)('%s also cannot', (role) => {
  it.each([
    ['write an event', 'insert into audit_event select * from audit_event limit 1'],
    ['set a chain back', 'update audit_chain set seq = 0'],
    ['change usage counters', 'update audit_usage set seats_peak = 0'],
    ['change denial counters', 'update audit_denials set denials = 0'],
    ['append an event', `select audit_append('system', '{license_imported}', '{me}', array['{}'::json])`],
    ['write one of a kind of its choice', `select audit_write('system', 'license_imported', 'me', '{}')`],
    ['count usage', `select audit_count_usage('pool/1', now(), 1, 1)`],
    ['switch a trigger off', 'alter table lease disable trigger write_audit_of_insert'],
    ['drop a trigger', 'drop trigger audit_only_grows on audit_event'],
    [
      'replace a function',
      `create or replace function audit_actor(by_row text) returns text language sql as 'select null'`,
    ],
    ['shadow a table', 'create table public.audit_chain_of_mine (a int)'],
  ])('%s', async (_what, sql) => {
    await expect(statement(database, role, sql)).rejects.toThrow(/permission denied|must be owner/);
  });
});

it('evergrant_audit_denials: lets a server record denials only', async () => {
  const chain = await poolChain(database, 'studio');
  const denial = JSON.stringify([{ code: 'no_seat_available', kind: 'license_imported', chain: 'system', seats: 3 }]);
  await statement(database, 'evergrant_server', `select evergrant_audit_denials($1, $2)`, [
    chain.split('/')[1],
    denial,
  ]);
  const last = (await allEvents(database)).filter((event) => event.chain === chain).at(-1);
  expect(last).toMatchObject({ kind: 'denied', chain });
  expect(JSON.parse(last?.body ?? '')).toEqual({ code: 'no_seat_available', seats: 3 });
  await expect(statement(database, 'evergrant_controller', `select evergrant_audit_denials(1, '[]')`)).rejects.toThrow(
    'permission denied',
  );
});

it("a table of the same name in the caller's own schema changes nothing", async () => {
  const chain = await poolChain(database, 'studio');
  const count = async () => (await allEvents(database)).filter((event) => event.chain === chain).length;
  const before = await count();
  await database.as('evergrant_server', async (client) => {
    await client.query('create temporary table audit_chain (chain text, seq bigint, hash bytea)');
    await client.query('create temporary table audit_event (like public.audit_event)');
    await client.query(`update lease set state = 'released', ended_at = now() where state = 'live'`);
  });
  expect(await count()).toBe(before + 2);
});
