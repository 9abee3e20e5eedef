import { randomUUID } from 'node:crypto';
import {
  allEvents,
  auditedDatabase,
  poolChain,
  SYSTEM,
  statement,
  takeSeats,
  verified,
  writtenBy,
} from '@evergrant/test-support/server/audit';
import type { TestDatabase } from '@evergrant/test-support/test-database';

/** Straight into the tables, past all code: the database itself writes the log. */
let database: TestDatabase;
let studio: string;

beforeEach(async () => {
  database = await auditedDatabase();
  studio = await poolChain(database, 'studio');
});

afterEach(async () => {
  // Whatever a test did, the log is unbroken.
  const { findings } = await verified(await allEvents(database));
  await database.drop();
  expect(findings).toEqual([]);
});

const server = (sql: string, values: unknown[] = []) => statement(database, 'evergrant_server', sql, values);
const owner = (sql: string, values: unknown[] = []) => statement(database, 'evergrant_owner', sql, values);

describe('of a lease', () => {
  it('a grant says who, how many seats, and how many are taken after it', async () => {
    let ids: string[] = [];
    const events = await writtenBy(database, async () => {
      ids = await takeSeats(database, [2, 3]);
    });
    const [first, second] = [...ids.keys()].map((index) => ids[index]);
    expect(events).toMatchObject([
      { chain: studio, kind: 'lease_granted', body: { lease: first, holder: 'room-1', seats: 2, seatsTaken: 2 } },
      { chain: studio, kind: 'lease_granted', body: { lease: second, holder: 'room-2', seats: 3, seatsTaken: 5 } },
    ]);
  });

  it('the actor is the API token of the checkout, or else the name of the transaction or the connection', async () => {
    const take = (grantedBy: string | null, actor: string) => async () => {
      await database.as('evergrant_server', async (client) => {
        await client.query(`set application_name = 'oregon/app-2'`);
        await client.query('begin');
        await client.query(`select set_config('evergrant.actor', $1, true)`, [actor]);
        await client.query(
          `insert into lease (id, pool_id, holder, seats, seq, epoch, granted_at, expires_at, granted_by)
           select $1, id, 'room', 1, 1, 1, now(), now(), $2 from pool where feature = 'studio'`,
          [randomUUID(), grantedBy],
        );
        await client.query('commit');
      });
    };
    expect((await writtenBy(database, take('token-7', 'somebody')))[0]?.actor).toBe('token-7');
    expect((await writtenBy(database, take(null, 'somebody')))[0]?.actor).toBe('somebody');
    expect((await writtenBy(database, take(null, '')))[0]?.actor).toBe('oregon/app-2');
  });

  it('records an adoption, an overdraft and a borrow as such', async () => {
    await owner(`update pool set overdraft = 5 where feature = 'studio'`);
    const insert = (columns: string, values: string) =>
      writtenBy(database, () =>
        server(
          `insert into lease (id, pool_id, holder, seats, seq, epoch, granted_at, expires_at, ${columns})
           select gen_random_uuid(), id, 'room', 1, 1, 2, now(), now(), ${values} from pool where feature = 'studio'`,
        ),
      );
    expect(await insert('adopted_from_epoch', '1')).toMatchObject([
      { kind: 'lease_adopted', body: { adoptedFromEpoch: 1, seatsTaken: 1 } },
    ]);
    expect(await insert('borrowed', 'true')).toMatchObject([{ kind: 'lease_borrowed', body: { seatsTaken: 2 } }]);
    expect(await insert('overdraft', 'true')).toMatchObject([{ kind: 'lease_granted', body: { overdraft: true } }]);
    await server(`update pool set overdraft_told = true where feature = 'studio'`);
    await server(`update pool set overdraft_told = false where feature = 'studio'`);
    expect((await allEvents(database)).slice(-1)[0]).toMatchObject({ chain: SYSTEM });
    const told = (await allEvents(database)).filter((event) => event.chain === studio).slice(-2);
    expect(told.map((event) => event.kind)).toEqual(['overdraft_begun', 'overdraft_ended']);
  });

  it.each([
    ['released', `state = 'released', ended_because = 'released', ended_by = 'token-7'`, 'lease_released'],
    ['released by the release before', `state = 'released'`, 'lease_released'],
    ['expired', `state = 'expired', ended_because = 'expired', ended_by = 'oregon/app-1'`, 'lease_expired'],
    ['forced', `state = 'released', ended_because = 'forced: he left', ended_by = 'admin'`, 'lease_forced'],
    ['disconnected', `state = 'released', ended_because = 'disconnected', ended_by = 'token-7'`, 'lease_disconnected'],
  ])('%s: an end says since when it was held', async (_what, changes, kind) => {
    const [one, two] = await takeSeats(database, [4, 5]);
    const events = await writtenBy(database, () =>
      server(`update lease set ${changes}, ended_at = now() where id = any($1::uuid[])`, [[one, two]]),
    );
    expect(events).toMatchObject([
      { chain: studio, kind, body: { lease: one, seats: 4, seatsTaken: 5 } },
      { chain: studio, kind, body: { lease: two, seats: 5, seatsTaken: 0 } },
    ]);
    expect(events[0]?.body.heldMs).toBeGreaterThanOrEqual(0);
    expect(Date.parse(events[0]?.body.grantedAt)).toBeLessThanOrEqual(Date.now() + 60_000);
  });

  it('of two pools in one statement, each goes to its own chain', async () => {
    const [one] = await takeSeats(database, [1]);
    const [two] = await takeSeats(database, [1], { feature: 'runner' });
    const runner = await poolChain(database, 'runner');
    const events = await writtenBy(database, () =>
      server(`update lease set state = 'expired', ended_at = now() where id = any($1::uuid[])`, [[one, two]]),
    );
    expect(Object.fromEntries(events.map(({ chain, body }) => [chain, body.lease]))).toEqual({
      [studio]: one,
      [runner]: two,
    });
  });

  it('a heartbeat is none', async () => {
    await takeSeats(database, [1]);
    expect(await writtenBy(database, () => server(`update lease set expires_at = now(), epoch = 1`))).toEqual([]);
  });

  it('a heartbeat that no server sends is', async () => {
    await takeSeats(database, [1]);
    const events = await writtenBy(database, () => owner(`update lease set expires_at = 'infinity'`));
    expect(events).toMatchObject([
      { kind: 'altered', body: { sqlRole: 'evergrant_owner', change: { after: { expires_at: 'infinity' } } } },
    ]);
  });

  it('revived, moved, deleted: altered, and the seats are right', async () => {
    const [lease] = await takeSeats(database, [3]);
    await server(`update lease set state = 'released', ended_at = now()`);
    expect(await writtenBy(database, () => owner(`update lease set state = 'live', ended_at = null`))).toMatchObject([
      { chain: studio, kind: 'altered', body: { lease, seatsTaken: 3 } },
    ]);
    const runner = await poolChain(database, 'runner');
    const move = `update lease set pool_id = (select id from pool where feature = 'runner')`;
    const moved = await writtenBy(database, () => owner(move));
    expect(Object.fromEntries(moved.map(({ chain, kind, body }) => [chain, [kind, body.seatsTaken]]))).toEqual({
      [studio]: ['altered', 0],
      [runner]: ['altered', 3],
    });
    expect(moved[0]?.body.lease).toBe(lease);
    expect(await writtenBy(database, () => owner('delete from lease'))).toMatchObject([
      { chain: runner, kind: 'altered', body: { lease, operation: 'delete', seatsTaken: 0 } },
    ]);
  });

  it('a change of the primary key is two events, and nothing is counted twice', async () => {
    await takeSeats(database, [3]);
    const events = await writtenBy(database, () => owner('update lease set id = gen_random_uuid()'));
    expect(events.map(({ kind, body }) => [kind, body.seatsTaken])).toEqual([
      ['altered', expect.any(Number)],
      ['altered', 3],
    ]);
  });

  it('what a rolled back transaction did is none', async () => {
    const before = await allEvents(database);
    await database
      .as('evergrant_owner', (client) => client.query('begin; delete from license; rollback'))
      .catch(() => undefined);
    expect(await allEvents(database)).toEqual(before);
  });
});

it('many sessions at once leave no gap and lose no event', async () => {
  const takers = Array.from({ length: 20 }, () => takeSeats(database, [1, 1, 1], { feature: 'runner' }));
  await Promise.all(takers);
  const runner = await poolChain(database, 'runner');
  const events = (await allEvents(database)).filter((event) => event.chain === runner);
  expect(events.map((event) => event.seq)).toEqual(events.map((_, index) => index + 1));
  const granted = events.filter((event) => event.kind === 'lease_granted');
  expect(granted.map((event) => JSON.parse(event.body).seatsTaken)).toEqual(
    Array.from({ length: 60 }, (_, index) => index + 1),
  );
});

describe('of the rest', () => {
  it('a license that comes in is imported, told with the hash of its file', async () => {
    const events = await writtenBy(database, () =>
      owner(`update license set version = 2, file = 'signed', imported_at = now(), imported_by = 'admin-1'`),
    );
    expect(events).toMatchObject([
      { chain: SYSTEM, kind: 'license_imported', actor: 'admin-1', body: { license: 'lic-1', issue: 2 } },
    ]);
    expect(JSON.stringify(events)).not.toContain('"signed"');
  });

  it('seats that change, and counts that somebody changed by hand', async () => {
    expect(await writtenBy(database, () => owner(`update pool set seats = 12 where feature = 'studio'`))).toMatchObject(
      [{ chain: studio, kind: 'pool_changed', body: { before: { seats: 10 }, after: { seats: 12 } } }],
    );
    expect(
      await writtenBy(database, () => server(`update pool set seats_taken = 9 where feature = 'studio'`)),
    ).toMatchObject([
      { chain: studio, kind: 'altered', body: { change: { before: { seats_taken: 0 }, after: { seats_taken: 9 } } } },
    ]);
    expect(await writtenBy(database, () => server(`update pool set grant_seq = 9`))).toEqual([]);
    expect(
      await writtenBy(database, () => owner(`update pool set grant_seq = 8 where feature = 'studio'`)),
    ).toMatchObject([{ chain: studio, kind: 'altered' }]);
  });

  it('records counts and leases that one foreign statement changed as they are after it', async () => {
    const events = await writtenBy(database, () => takeSeats(database, [2], { role: 'evergrant_owner' }));
    expect(events.map(({ kind }) => kind).sort()).toEqual(['altered', 'lease_granted']);
    expect(events.at(-1)?.body.seatsTaken).toBe(2);
  });

  it('a Control Room: registered, its states, its recovery, with reason and actor', async () => {
    const room = randomUUID();
    const as = (sql: string) => () =>
      owner(
        `begin; select set_config('evergrant.actor', 'admin-1', true), set_config('evergrant.reason', 'why', true); ${sql}; commit`,
      );
    const insert = `insert into control_room (id, license_id, name) values ('${room}', 'lic-1', 'Berlin')`;
    expect(await writtenBy(database, as(insert))).toMatchObject([
      { chain: SYSTEM, kind: 'control_room_registered', actor: 'admin-1', body: { controlRoom: room, reason: 'why' } },
    ]);
    expect(await writtenBy(database, as(`update control_room set state = 'fail_safe'`))).toMatchObject([
      { kind: 'control_room_state', body: { from: 'active', to: 'fail_safe' } },
    ]);
    expect(await writtenBy(database, as('update control_room set recoverable_until = now()'))).toMatchObject([
      { kind: 'control_room_recovery' },
    ]);
    expect(await writtenBy(database, as('update control_room set recoverable_until = null'))).toMatchObject([
      { kind: 'control_room_recovered' },
    ]);
    const heartbeat = 'update control_room set last_heartbeat_at = now(), silent_since = now()';
    expect(await writtenBy(database, () => server(heartbeat))).toEqual([]);
    expect(await writtenBy(database, as(heartbeat))).toMatchObject([{ kind: 'control_room_changed' }]);
    expect(await writtenBy(database, as('delete from control_room'))).toMatchObject([{ kind: 'altered' }]);
  });

  it('a token: created, changed, revoked, and never its hash', async () => {
    const insert = `insert into api_token (name, token_sha256, scopes, created_by) values ('t', sha256('secret'), '{lease}', 'admin-1')`;
    const events = [
      ...(await writtenBy(database, () => owner(insert))),
      ...(await writtenBy(database, () => owner(`update api_token set token_sha256 = sha256('other')`))),
      ...(await writtenBy(database, () => owner(`update api_token set revoked_at = now(), revoked_by = 'admin-2'`))),
      ...(await writtenBy(database, () => owner(`update api_token set revoked_at = null`))),
    ];
    expect(events.map((event) => event.kind)).toEqual([
      'token_created',
      'token_changed',
      'token_revoked',
      'token_restored',
    ]);
    expect(events[0]?.actor).toBe('admin-1');
    const [{ hash } = { hash: '' }] = await database.query<{ hash: string }>(
      `select encode(sha256('secret'), 'hex') as hash`,
    );
    expect(JSON.stringify(events)).not.toContain(hash);
  });

  it('a reservation: made, changed, removed', async () => {
    const insert = `insert into reservation (pool_id, group_name, seats, source) select id, 'eu', 2, 'administrator' from pool where feature = 'studio'`;
    expect(await writtenBy(database, () => owner(insert))).toMatchObject([
      { chain: studio, kind: 'reservation_made', body: { group: 'eu', seats: 2 } },
    ]);
    expect(await writtenBy(database, () => owner('update reservation set seats = 3'))).toMatchObject([
      { kind: 'reservation_changed', body: { seats: 3, seatsBefore: 2 } },
    ]);
    expect(await writtenBy(database, () => owner('delete from reservation'))).toMatchObject([
      { kind: 'reservation_removed' },
    ]);
  });

  it('a place in the line: taken and left, and why', async () => {
    const [lease] = await takeSeats(database, [1]);
    const queue = (id: string, seconds: number) =>
      owner(
        `insert into queue_place (lease_id, pool_id, number, holder, seats, requested_by, expires_at)
         select $1, id, 1, 'room', 1, 'token-7', clock_timestamp() + make_interval(secs => $2) from pool where feature = 'studio'`,
        [id, seconds],
      );
    expect(await writtenBy(database, () => queue(String(lease), 60))).toMatchObject([
      { chain: studio, kind: 'queued', actor: 'token-7', body: { lease, number: 1 } },
    ]);
    expect(await writtenBy(database, () => owner(`update queue_place set expires_at = now()`))).toEqual([]);
    const left = async () => (await writtenBy(database, () => owner('delete from queue_place')))[0]?.body.because;
    expect(await left()).toBe('granted');
    await queue(randomUUID(), -1);
    expect(await left()).toBe('lapsed');
    await queue(randomUUID(), 60);
    expect(await left()).toBe('given up');
  });

  it('an epoch: opened, closed, and closed unopened', async () => {
    const close = (epoch: number) => () => owner(`select evergrant_close_epoch(${epoch})`);
    expect(await writtenBy(database, close(1))).toMatchObject([
      { chain: SYSTEM, kind: 'epoch_closed', body: { epoch: 1 } },
    ]);
    expect(await writtenBy(database, close(2))).toMatchObject([
      { kind: 'epoch_closed', body: { epoch: 2, region: 'none' } },
    ]);
    const open = `insert into epoch (epoch, region, opened_by) values (3, 'virginia', 'virginia/app-1')`;
    expect(await writtenBy(database, () => server(open))).toMatchObject([
      { kind: 'epoch_opened', actor: 'virginia/app-1', body: { epoch: 3, region: 'virginia' } },
    ]);
    expect(await writtenBy(database, () => owner(`update epoch set region = 'oregon'`))).toMatchObject([
      { kind: 'altered' },
      { kind: 'altered' },
    ]);
  });

  it('an epoch that begins and ends granting unprotected, as servers do it', async () => {
    const unprotect = () => server('update epoch set unprotected_since = clock_timestamp()');
    const protect = () =>
      server('update epoch set unprotected_since = null, protection_changes = protection_changes + 1');
    const told = { chain: SYSTEM, body: { epoch: 1, region: 'oregon', since: expect.stringMatching(/^20/) } };
    expect(await writtenBy(database, unprotect)).toMatchObject([{ ...told, kind: 'epoch_unprotected' }]);
    expect(await writtenBy(database, protect)).toMatchObject([{ ...told, kind: 'epoch_protected' }]);
    // Another server has seen it too.
    expect(await writtenBy(database, protect)).toEqual([]);
  });

  it('an epoch whose protection somebody edits', async () => {
    const altered = [{ kind: 'altered', body: { table: 'epoch', operation: 'update' } }];
    const edits = [
      'update epoch set protection_changes = protection_changes + 1',
      `update epoch set unprotected_since = now(), region = 'virginia'`,
      `update epoch set unprotected_since = now() - interval '1 day', protection_changes = 0`,
      'update epoch set unprotected_since = null',
    ];
    for (const edit of edits) expect(await writtenBy(database, () => owner(edit))).toMatchObject(altered);
    expect(await writtenBy(database, () => owner('update epoch set unprotected_since = now()'))).toMatchObject([
      { kind: 'epoch_unprotected', body: { sqlRole: 'evergrant_owner' } },
    ]);
  });

  it('three servers of a redundant license that somebody puts in control, or takes out', async () => {
    const enter = `insert into triad (servers) values ('{a,b,c}')`;
    expect(await writtenBy(database, () => server(enter))).toEqual([]);
    const edits: [string, string][] = [
      ['delete', 'delete from triad'],
      ['insert', `insert into triad (servers, term, in_control) values ('{a,b,c}', 7, 'b')`],
      ['update', `update triad set in_control = 'c'`],
      ['truncate', 'truncate triad'],
    ];
    for (const [operation, edit] of edits) {
      const altered = { chain: SYSTEM, kind: 'altered', body: { table: 'triad', operation } };
      expect(await writtenBy(database, () => owner(edit))).toMatchObject([altered]);
    }
  });

  it.each(['queue_place', 'reservation', 'lease, queue_place, reservation, control_room_use'])(
    'a truncation of %s',
    async (tables) => {
      const events = await writtenBy(database, () => owner(`truncate ${tables}`));
      expect(events.map(({ kind, body }) => [kind, body.table, body.operation]).sort()).toEqual(
        tables
          .split(', ')
          .filter((table) => table !== 'control_room_use')
          .map((table) => ['altered', table, 'truncate'])
          .sort(),
      );
    },
  );
});

describe('no column is overlooked', () => {
  /** Another value of a column's type that its constraints allow. */
  const OTHER: Readonly<Record<string, string>> = {
    'license.kind': `'cloud'`,
    'lease.state': `'expired', ended_at = now()`,
    'lease.ended_at': `now(), state = 'expired'`,
    'pool.seats_held_back': '1, seats_awaited = 1',
    'pool.on_disconnect': `'release'`,
    'control_room.state': `'suspended'`,
    'reservation.control_room': 'gen_random_uuid(), group_name = null',
    'reservation.source': `'license_file'`,
    'api_token.scopes': `'{read}'`,
  };
  const BY_TYPE: Readonly<Record<string, string>> = {
    text: `'changed'`,
    uuid: 'gen_random_uuid()',
    int4: '5',
    int8: '5',
    bool: '(not COLUMN)',
    timestamptz: `now() - interval '3 days'`,
    bytea: `sha256(convert_to(gen_random_uuid()::text, 'UTF8'))`,
    _text: `'{changed}'`,
  };

  it('every column of every audited table that is changed by hand leaves an event', async () => {
    await takeSeats(database, [1]);
    await owner(`insert into license (id, customer, product) values ('lic-2', 'Other', 'Other')`);
    await owner(`insert into control_room (id, license_id, name) values (gen_random_uuid(), 'lic-1', 'Berlin')`);
    await owner(`insert into api_token (name, token_sha256, scopes) values ('t', sha256('secret'), '{lease}')`);
    await owner(`insert into reservation select id, null, 'eu', 2, 'administrator' from pool where feature = 'studio'`);
    await owner(`insert into queue_place (lease_id, pool_id, number, holder, seats, expires_at)
      select gen_random_uuid(), id, 1, 'room', 1, now() from pool where feature = 'studio'`);
    const columns = await database.query<{ table: string; column: string; type: string }>(
      `select table_name as "table", column_name as "column", udt_name as type from information_schema.columns
       where table_schema = 'public' and is_generated = 'NEVER' and table_name = any($1)
         and not (table_name = 'license' and column_name in ('id', 'kind', 'control_room', 'servers'))
         and not (column_name in ('pool_id', 'license_id') or table_name = 'pool' and column_name = 'id'
                  or table_name = 'api_token' and column_name = 'control_room' or column_name = 'document_sha256')
       order by 1, 2`,
      [['lease', 'pool', 'license', 'control_room', 'api_token', 'reservation', 'queue_place', 'epoch']],
    );
    expect(columns.length).toBeGreaterThan(70);
    const silent: string[] = [];
    await database.as('evergrant_admin', async (client) => {
      for (const { table, column, type } of columns) {
        const value = OTHER[`${table}.${column}`] ?? BY_TYPE[type]?.replace('COLUMN', column) ?? `'5'`;
        const count = async () => Number((await client.query('select count(*) from audit_event')).rows[0].count);
        const change = async () => {
          const before = await count();
          await client.query(`update ${table} set ${column} = ${value} where ctid = (select min(ctid) from ${table})`);
          await client.query('set constraints all immediate');
          return (await count()) > before;
        };
        await client.query('begin');
        await client.query('set constraints all deferred');
        if (!(await change())) silent.push(`${table}.${column}`);
        await client.query('rollback');
      }
    });
    // To ask again renews a place, and that is all there is to it.
    expect(silent).toEqual(['queue_place.expires_at']);
  });
});
