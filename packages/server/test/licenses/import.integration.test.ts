import { randomUUID } from 'node:crypto';
import type { LicenseDocument } from '@evergrant/formats/license/document';
import { licenseKeySha256 } from '@evergrant/formats/license/license-key';
import { withDefaults } from '@evergrant/formats/license/with-defaults';
import { TestDatabase } from '@evergrant/test-support/test-database';
import { importLicense } from '../../src/licenses/sql/import-license';

/** Straight into the function: the one way in which seats come into the database. */
const IMPORTED = { outcome: 'imported', leasesCut: 0, borrowedBeyond: [] };

let database: TestDatabase;
beforeEach(async () => {
  database = await TestDatabase.clone();
});
afterEach(() => database.drop());

const ROOM = '1c9f9d4e-6c5a-4a52-8a3d-1f6a1b7c2d3e';
const DRAFT = {
  licenseId: 'lic-1',
  issue: 5,
  customer: 'Acme',
  product: 'Assembler',
  kind: 'cloud',
  validFrom: '2026-01-01T00:00:00Z',
  validUntil: '2036-01-01T00:00:00Z',
  entitlements: [
    { feature: 'runner', seats: 100, overdraft: 5, borrowSecondsMax: 60, onDisconnect: 'release' },
    {
      feature: 'studio',
      seats: 10,
      reservations: [
        { controlRoom: ROOM, seats: 2 },
        { group: 'lab', seats: 3 },
      ],
    },
  ],
};

function documentOf(changed: object = {}): LicenseDocument {
  const read = withDefaults({ ...DRAFT, ...changed });
  if (read.kind === 'invalid') throw new Error(JSON.stringify(read.errors));
  return read.value;
}

/** As the servers import: with their rights. */
function bring(changed: object = {}, { file = 'the file', by = 'ada' } = {}) {
  return database.as('evergrant_server', (client) =>
    importLicense(client, { document: documentOf(changed), file, importedBy: by }),
  );
}

const licenseRow = async () =>
  (await database.query('select *, valid_until::text as until from license where id = $1', ['lic-1']))[0]!;
const pools = () => database.query('select feature, seats, overdraft from pool order by feature');
const reservations = () =>
  database.query(
    'select feature, control_room, group_name, r.seats, source from reservation r join pool on pool.id = pool_id order by feature, control_room, group_name',
  );

async function take(seats: number, feature = 'studio'): Promise<void> {
  await database.query(
    `insert into lease (id, pool_id, holder, seats, seq, epoch, granted_at, expires_at)
     select $1, id, 'room', $2, 1, 1, now(), now() + interval '1 h' from pool where feature = $3`,
    [randomUUID(), seats, feature],
  );
}

describe('importLicense', () => {
  it('writes the license and the importer', async () => {
    const licenseKey = randomUUID();
    expect(await bring({ licenseKey })).toEqual(IMPORTED);
    expect(await licenseRow()).toMatchObject({
      customer: 'Acme',
      product: 'Assembler',
      kind: 'cloud',
      version: 5,
      license_key_sha256: Buffer.from(licenseKeySha256(licenseKey), 'hex'),
      valid_from: new Date('2026-01-01T00:00:00Z'),
      valid_until: new Date('2036-01-01T00:00:00Z'),
      servers: [],
      grace_seconds: 172_800,
      suspend_after_seconds: 2_592_000,
      file: 'the file',
      imported_by: 'ada',
      imported_at: expect.any(Date),
    });
    expect(
      await database.query(
        'select feature, seats, overdraft, escrow, lease_ttl_seconds, borrow_seconds_max, on_disconnect from pool order by feature',
      ),
    ).toEqual([
      {
        feature: 'runner',
        seats: 100,
        overdraft: 5,
        escrow: 10,
        lease_ttl_seconds: 600,
        borrow_seconds_max: 60,
        on_disconnect: 'release',
      },
      {
        feature: 'studio',
        seats: 10,
        overdraft: 0,
        escrow: 1,
        lease_ttl_seconds: 600,
        borrow_seconds_max: 0,
        on_disconnect: 'keep',
      },
    ]);
    expect(await reservations()).toEqual([
      { feature: 'studio', control_room: ROOM, group_name: null, seats: 2, source: 'license_file' },
      { feature: 'studio', control_room: null, group_name: 'lab', seats: 3, source: 'license_file' },
    ]);
  });

  it('changes nothing for the same file', async () => {
    await bring();
    const before = await licenseRow();
    expect(await bring({}, { by: 'eve' })).toEqual({ ...IMPORTED, outcome: 'unchanged' });
    expect(await licenseRow()).toEqual(before);
  });

  it('restores rows that were edited', async () => {
    await bring();
    await database.query(`update pool set seats = 1000 where feature = 'studio'`);
    await database.query(`update license set valid_until = 'infinity'`);
    expect(await bring()).toEqual(IMPORTED);
    expect((await pools())[1]).toMatchObject({ feature: 'studio', seats: 10 });
    expect(await licenseRow()).toMatchObject({ valid_until: new Date('2036-01-01T00:00:00Z') });
  });

  it('stores the newer file for the same document', async () => {
    await bring();
    expect(await bring({}, { file: 'signed with the next key' })).toEqual(IMPORTED);
    expect(await licenseRow()).toMatchObject({ file: 'signed with the next key', version: 5 });
  });

  it('writes Control Room and servers for the kinds guid and redundant', async () => {
    await bring({
      licenseId: 'lic-g',
      kind: 'guid',
      controlRoom: ROOM,
      entitlements: [{ feature: 'studio', seats: 1 }],
    });
    const servers = ['site/alpha', 'site/beta', 'site/gamma'];
    await bring({ licenseId: 'lic-r', kind: 'redundant', servers });
    expect(await database.query('select kind, control_room, servers from license order by id')).toEqual([
      { kind: 'guid', control_room: ROOM, servers: [] },
      { kind: 'redundant', control_room: null, servers },
    ]);
  });

  it('adopts pools that were provisioned before license files', async () => {
    await database.query(`insert into license (id, customer, product) values ('lic-1', 'Acme', 'Assembler')`);
    await database.query(
      `insert into pool (license_id, product, feature, seats, lease_ttl_seconds, escrow) values ('lic-1', 'Assembler', 'studio', 8, 600, 1)`,
    );
    await take(7);
    expect(
      await bring({ kind: 'guid', controlRoom: ROOM, issue: 1, entitlements: [{ feature: 'studio', seats: 9 }] }),
    ).toEqual(IMPORTED);
    expect(await pools()).toEqual([{ feature: 'studio', seats: 9, overdraft: 0 }]);
  });
});

describe('importLicense: a later issue', () => {
  it('replaces the file’s seats, terms and reservations, and keeps those of administrators', async () => {
    await bring();
    await database.query(
      `insert into reservation (pool_id, group_name, seats, source) select id, 'board', 1, 'administrator' from pool where feature = 'studio'`,
    );
    const entitlements = [
      {
        feature: 'studio',
        seats: 20,
        reservations: [
          { group: 'lab', seats: 4 },
          { group: 'board', seats: 9 },
        ],
      },
    ];
    expect(await bring({ issue: 6, customer: 'Acme Ltd', entitlements })).toEqual(IMPORTED);
    expect(await licenseRow()).toMatchObject({ version: 6, customer: 'Acme Ltd' });
    expect(await reservations()).toEqual([
      { feature: 'studio', control_room: null, group_name: 'board', seats: 1, source: 'administrator' },
      { feature: 'studio', control_room: null, group_name: 'lab', seats: 4, source: 'license_file' },
    ]);
  });

  it('withdraws features that it no longer names', async () => {
    await bring();
    expect(await bring({ issue: 6, entitlements: [{ feature: 'studio', seats: 10 }] })).toEqual(IMPORTED);
    expect(await pools()).toEqual([
      { feature: 'runner', seats: 0, overdraft: 0 },
      { feature: 'studio', seats: 10, overdraft: 0 },
    ]);
    expect(await bring({ issue: 7 })).toEqual(IMPORTED);
    expect(await pools()).toEqual([
      { feature: 'runner', seats: 100, overdraft: 5 },
      { feature: 'studio', seats: 10, overdraft: 0 },
    ]);
  });

  it('resets the expiry warnings', async () => {
    await bring();
    await database.as('evergrant_server', (client) => client.query('update license set expiry_told_days = 30'));
    await bring({ issue: 6 });
    expect(await licenseRow()).toMatchObject({ expiry_told_days: 30 });
    await bring({ issue: 7, validUntil: '2037-01-01T00:00:00Z' });
    expect(await licenseRow()).toMatchObject({ expiry_told_days: null });
  });
});

describe('importLicense: refuses and changes nothing', () => {
  afterEach(async () => {
    expect(await licenseRow()).toMatchObject({ version: 5, customer: 'Acme', kind: 'cloud' });
  });

  it('when a later issue is in force', async () => {
    await bring();
    expect(await bring({ issue: 4, customer: 'Eve' })).toEqual({ outcome: 'license_replayed', issueInForce: 5 });
  });

  it('when the issue is in force with another document', async () => {
    await bring();
    expect(await bring({ customer: 'Eve' })).toEqual({ outcome: 'license_issue_reused', issueInForce: 5 });
  });

  it('when the kind would change', async () => {
    await bring();
    const guid = { kind: 'guid', controlRoom: ROOM, entitlements: [{ feature: 'studio', seats: 10 }] };
    expect(await bring({ ...guid, issue: 6 })).toEqual({ outcome: 'license_kind_changed', kindInForce: 'cloud' });
  });

  it('when another license uses its license key', async () => {
    await bring();
    const licenseKey = randomUUID();
    await bring({ licenseId: 'lic-2', licenseKey });
    expect(await bring({ issue: 6, licenseKey })).toEqual({ outcome: 'license_key_in_use' });
  });

  it('when seats in use or held back would be removed', async () => {
    await bring();
    await take(6);
    await database.query(
      `update pool set seats_held_back = 2, seats_awaited = 2, awaited_until = now() + interval '1 h' where feature = 'studio'`,
    );
    const shrunk = (seats: number) =>
      bring({ issue: 6, customer: 'Eve', entitlements: [{ feature: 'studio', seats }] });
    expect(await shrunk(7)).toEqual({
      outcome: 'license_shrinks_below_use',
      pools: [{ product: 'Assembler', feature: 'studio', seats: 7, overdraft: 0, inUse: 6, heldBack: 2, reserved: 0 }],
    });
    expect(await pools()).toEqual([
      { feature: 'runner', seats: 100, overdraft: 5 },
      { feature: 'studio', seats: 10, overdraft: 0 },
    ]);
  });

  it('when a feature in use would be withdrawn, also by a changed product', async () => {
    await bring();
    await take(1, 'runner');
    const outcome = 'license_shrinks_below_use';
    expect(await bring({ issue: 6, entitlements: [{ feature: 'studio', seats: 10 }] })).toMatchObject({ outcome });
    expect(await bring({ issue: 6, product: 'Assembler 2' })).toMatchObject({
      outcome,
      pools: [{ product: 'Assembler', feature: 'runner', seats: 0, inUse: 1 }],
    });
  });

  it('when administrators have reserved more than would remain', async () => {
    await bring();
    await database.query(
      `insert into reservation (pool_id, group_name, seats, source) select id, 'board', 4, 'administrator' from pool where feature = 'studio'`,
    );
    const reserved = [{ group: 'lab', seats: 3 }];
    expect(
      await bring({ issue: 6, entitlements: [{ feature: 'studio', seats: 6, reservations: reserved }] }),
    ).toMatchObject({
      outcome: 'license_shrinks_below_use',
      pools: [{ feature: 'studio', seats: 6, reserved: 4 }],
    });
  });
});

it('importLicense: can shrink exactly to the seats in use', async () => {
  await bring();
  await take(10);
  await database.query(`update pool set seats_over = 3 where feature = 'studio'`);
  const shrink = (issue: number, seats: number, overdraft: number) =>
    bring({ issue, entitlements: [{ feature: 'studio', seats, overdraft }] });
  expect(await shrink(6, 5, 1)).toMatchObject({ outcome: 'license_shrinks_below_use' });
  expect(await shrink(6, 5, 2)).toEqual(IMPORTED);
});

it('importLicense: serializes concurrent imports of one license', async () => {
  const outcomes = await Promise.all(
    [6, 9, 7, 9, 8, 9].map((issue) => bring({ issue }).then(({ outcome }) => outcome)),
  );
  expect(outcomes.filter((outcome) => !['imported', 'license_replayed', 'unchanged'].includes(outcome))).toEqual([]);
  expect(await licenseRow()).toMatchObject({ version: 9 });
});

it('database role: cannot change sold seats in any other way', async () => {
  await bring();
  for (const sql of [
    'update pool set seats = 1000',
    'update pool set overdraft = 1000',
    `update license set valid_until = 'infinity'`,
    `insert into license (id, customer, product) values ('mine', 'me', 'all')`,
    `select evergrant_write_pools('{}')`,
  ]) {
    await expect(database.as('evergrant_server', (client) => client.query(sql))).rejects.toThrow(/permission denied/);
  }
  await expect(
    database.as('evergrant_controller', (client) =>
      importLicense(client, { document: documentOf(), file: '', importedBy: 'controller' }),
    ),
  ).rejects.toThrow(/permission denied/);
});
