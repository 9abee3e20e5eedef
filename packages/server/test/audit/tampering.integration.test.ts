import { randomUUID } from 'node:crypto';
import { eventually } from '@evergrant/test-support/eventually';
import { PRODUCT, type RunningServer, TestWorld } from '@evergrant/test-support/server/test-world';
import { isCovered, verifiedAt } from '@evergrant/test-support/server/verify-command';

/** With all the rights there are, triggers dropped: whatever is done to the log, the verification names it. */
let world: TestWorld;
let server: RunningServer;
let chain: string;
let deniedChain: string;

beforeAll(async () => {
  world = await TestWorld.create();
  server = await world.startGranting({ checkpointEveryMs: 200 });
  for (let count = 0; count < 8; count += 1) {
    const leaseId = randomUUID();
    const body = { product: PRODUCT, feature: 'studio', seats: 1, holder: `room-${count}` };
    expect((await server.call('PUT', `/v1/leases/${leaseId}`, body)).status).toBe(201);
  }
  const tooMany = { product: PRODUCT, feature: 'runner', seats: 1_000_000, holder: 'room' };
  expect((await server.call('PUT', `/v1/leases/${randomUUID()}`, tooMany)).status).toBe(409);
  const chainOf = async (feature: string) =>
    `pool/${(await world.database.query<{ id: string }>('select id from pool where feature = $1', [feature]))[0]?.id}`;
  [chain, deniedChain] = [await chainOf('studio'), await chainOf('runner')];
  await eventually('everything has a checkpoint', () => isCovered(server), { deadlineMs: 20_000, everyMs: 100 });
});

afterAll(() => world.close());

const KEPT = ['audit_event', 'audit_chain', 'audit_usage', 'audit_denials', 'lease'];
const WATCHED = [...KEPT, 'pool'];

/** Runs `sql` as a superuser without any trigger, looks, and puts everything back. */
async function afterDoing(sql: string): Promise<[string, number | null][]> {
  const all = (verb: string) => WATCHED.map((table) => `alter table ${table} ${verb} trigger user`).join(';');
  return world.database.as('evergrant_admin', async (client) => {
    for (const table of WATCHED) await client.query(`create table kept_${table} as select * from ${table}`);
    await client.query(all('disable'));
    await client.query(sql.replaceAll('DENIED', deniedChain).replaceAll('CHAIN', chain));
    const { findings } = await verifiedAt(server);
    for (const table of [...KEPT].reverse()) await client.query(`delete from ${table}`);
    for (const table of KEPT) {
      await client.query(`insert into ${table} select * from kept_${table}`);
    }
    await client.query(
      `update pool set seats_taken = kept.seats_taken, seats = kept.seats from kept_pool kept where kept.id = pool.id`,
    );
    await client.query(all('enable'));
    for (const table of WATCHED) await client.query(`drop table kept_${table}`);
    return findings.map(({ code, seq }) => [code, seq]);
  });
}

const SET = (change: string) => `update audit_event set ${change} where chain = 'CHAIN' and seq = 4`;

it('audit verify: finds nothing in an unchanged log', async () => {
  expect(await afterDoing('select 1')).toEqual([]);
});

it.each([
  ['its epoch', SET('epoch = epoch + 1')],
  ['its era', SET('era = era + 1')],
  ['its time', SET(`at = at + interval '1 microsecond'`)],
  ['its kind', SET(`kind = 'lease_released'`)],
  ['its actor', SET(`actor = 'nobody'`)],
  ['its body', SET(`body = replace(body::text, '"seats" : 1', '"seats" : 2')::json`)],
  ['one space in its body', SET(`body = replace(body::text, '" :', '":')::json`)],
  ['its link', SET('previous_hash = sha256(previous_hash)')],
  ['its hash', SET('hash = sha256(hash)')],
])('an event of which somebody changed %s', async (_what, sql) => {
  const found = await afterDoing(sql);
  expect(found[0]).toEqual(['event_changed', 4]);
});

it.each<[string, string, [string, number | null]]>([
  ['its number', `update audit_event set seq = 999 where chain = 'CHAIN' and seq = 4`, ['events_missing', 4]],
  ['its chain', `update audit_event set chain = 'pool/999' where chain = 'CHAIN' and seq = 9`, ['chain_truncated', 9]],
])('an event of which somebody changed %s', async (_what, sql, expected) => {
  expect(await afterDoing(sql)).toContainEqual(expected);
});

it.each<[string, string, [string, number | null]]>([
  ['removed one event', `delete from audit_event where chain = 'CHAIN' and seq = 4`, ['events_missing', 4]],
  ['removed the first', `delete from audit_event where chain = 'CHAIN' and seq = 1`, ['chain_headless', 1]],
  ['cut off the end', `delete from audit_event where chain = 'CHAIN' and seq > 6`, ['chain_truncated', 7]],
  [
    'cut off the end, and the account of it',
    `delete from audit_event where chain = 'CHAIN' and seq > 6;
     update audit_chain set seq = 6, hash = (select hash from audit_event where chain = 'CHAIN' and seq = 6) where chain = 'CHAIN'`,
    ['chain_truncated', 7],
  ],
  [
    'removed a whole chain',
    `delete from audit_event where chain = 'CHAIN'; delete from audit_chain where chain = 'CHAIN'`,
    ['chain_missing', 1],
  ],
  ['emptied the log', 'delete from audit_event; delete from audit_chain', ['chain_missing', 1]],
  [
    'exchanged two events',
    `update audit_event set seq = case seq when 4 then 1004 else 1005 end where chain = 'CHAIN' and seq in (4, 5);
     update audit_event set seq = case seq when 1004 then 5 else 4 end where chain = 'CHAIN' and seq in (1004, 1005)`,
    ['event_changed', 4],
  ],
  [
    'rewrote the end with correct hashes',
    `update audit_chain set seq = 5, hash = (select hash from audit_event where chain = 'CHAIN' and seq = 5) where chain = 'CHAIN';
     delete from audit_event where chain = 'CHAIN' and seq > 5;
     select audit_append('CHAIN', array_fill('lease_granted'::text, array[4]), array_fill('me'::text, array[4]),
                         array_fill('{"seatsTaken": 8}'::json, array[4]), array[8, 8, 8, 8])`,
    ['chain_rewritten', 9],
  ],
  ['changed rows past the triggers', `delete from lease; update pool set seats_taken = 0`, ['accounting_mismatch', 9]],
  [
    'changed the record of usage',
    `update audit_usage set seats_taken = 3 where chain = 'CHAIN'`,
    ['accounting_mismatch', 9],
  ],
  ['lowered the denial counters', `update audit_denials set denials = 0`, ['accounting_mismatch', null]],
  ['lowered the seats that were asked for', `update audit_denials set seats_asked = 1`, ['accounting_mismatch', null]],
  ['changed why it was denied', `update audit_denials set code = 'lease_conflict'`, ['accounting_mismatch', null]],
  ['removed the denial counters', 'delete from audit_denials', ['accounting_mismatch', null]],
  [
    'moved denials to another day',
    `update audit_denials set day = day - 1 where chain = 'DENIED'`,
    ['accounting_mismatch', null],
  ],
  [
    'put denials on record for years in which nothing happened',
    `insert into audit_denials values ('DENIED', '2021-03-01', 'no_seat_available', 5, 5)`,
    ['accounting_mismatch', null],
  ],
])('somebody who %s', async (_what, sql, expected) => {
  expect(await afterDoing(sql)).toContainEqual(expected);
});

it('audit verify: finds a removed and a forged checkpoint', async () => {
  const store = (sql: string) =>
    world.authority.database.query(`alter table audit_checkpoint disable trigger checkpoints_stay; ${sql};
      alter table audit_checkpoint enable always trigger checkpoints_stay`);
  const body = { product: PRODUCT, feature: 'studio', seats: 1, holder: 'one more' };
  await server.call('PUT', `/v1/leases/${randomUUID()}`, body);
  await eventually('everything has a checkpoint', () => isCovered(server), { deadlineMs: 20_000, everyMs: 100 });
  await store(`create table kept as select * from audit_checkpoint`);
  await store(`delete from audit_checkpoint where chain = '${chain}' and number = 1`);
  expect((await verifiedAt(server)).findings.map(({ code }) => code)).toContain('checkpoint_missing');
  await store(`insert into audit_checkpoint select * from kept on conflict do nothing`);
  expect((await verifiedAt(server)).findings).toEqual([]);
  await store(`update audit_checkpoint set jws = replace(jws, '.', '.A') where chain = 'system' and number = 1`);
  expect((await verifiedAt(server)).findings.map(({ code, chain: of }) => [code, of])).toContainEqual([
    'checkpoint_forged',
    'system',
  ]);
});
