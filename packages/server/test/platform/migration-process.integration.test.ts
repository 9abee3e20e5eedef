import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Processes } from '@evergrant/test-support/server/processes';
import { type LicenseDraft, signForTest } from '@evergrant/test-support/server/test-licenses';
import { TestWorld } from '@evergrant/test-support/server/test-world';
import { TestDatabase } from '@evergrant/test-support/test-database';
import { createVendor, DRAFT, documentOf } from '@evergrant/test-support/vendor';

let processes: Processes;
let world: TestWorld;

beforeAll(async () => {
  processes = new Processes();
  world = await TestWorld.create();
});

afterAll(async () => {
  processes.end();
  await world.close();
});

describe('the migration process', () => {
  let database: TestDatabase;

  beforeEach(async () => {
    database = await TestDatabase.empty();
  });

  afterEach(() => database.drop());

  function environment(licenses: Record<string, string>): Record<string, string> {
    const { host, port, name, user, password } = database.address('evergrant_owner');
    const paths = Object.entries(licenses).map(([fileName, content]) => {
      writeFileSync(join(processes.folder, fileName), content);
      return join(processes.folder, fileName);
    });
    return {
      EVERGRANT_DATABASE_HOST: host,
      EVERGRANT_DATABASE_PORT: String(port),
      EVERGRANT_DATABASE_NAME: name,
      EVERGRANT_DATABASE_USER: user,
      EVERGRANT_SECRETS_FILE: processes.file('owner.json', {
        databasePassword: password,
        deploymentKeys: { keys: [world.vendor.deployment] },
      }),
      EVERGRANT_LICENSE_TRUST_FILE: processes.file('trust.json', world.vendor.trust),
      EVERGRANT_LICENSE_FILES: JSON.stringify(paths),
      EVERGRANT_TOKENS_FILE: processes.file('tokens.json', [
        { name: 'client', token: 'a-token-long-enough', scopes: ['lease'] },
      ]),
    };
  }

  const LICENSE = {
    licenseId: 'lic-1',
    issue: 2,
    customer: 'Acme',
    product: 'Assembler',
    entitlements: [{ feature: 'studio', seats: 25 }],
  };

  function signed(changed: Partial<LicenseDraft> = {}): Promise<string> {
    return signForTest({ ...LICENSE, ...changed });
  }

  async function migrated(
    licenses: Record<string, string>,
  ): Promise<{ code: number | null; output: string; said: MigrationReport }> {
    const started = processes.start('migrate.js', environment(licenses));
    const code = await started.exited;
    return { code, output: started.output, said: started.lines[0] as unknown as MigrationReport };
  }

  interface MigrationReport {
    readonly applied: string[];
    readonly licenses: { licenseId: string; issue: number; outcome: string; because?: string }[];
  }

  it('makes the first administrator of the token that a container service injects, and revokes it with the next', async () => {
    const first = {
      ...environment({}),
      EVERGRANT_TOKENS_FILE: '',
      EVERGRANT_ADMINISTRATOR_TOKEN: 'an-injected-token-1',
    };
    expect(await processes.start('migrate.js', first).exited).toBe(0);
    const tokens = `select name, scopes, token_sha256 = sha256($1) as is_it from api_token where revoked_at is null`;
    const found = (token: string) => database.query(tokens, [Buffer.from(token)]);
    expect(await found('an-injected-token-1')).toEqual([
      { name: 'administrator', scopes: ['admin', 'read'], is_it: true },
    ]);
    const rotated = processes.start('migrate.js', { ...first, EVERGRANT_ADMINISTRATOR_TOKEN: 'an-injected-token-2' });
    expect(await rotated.exited).toBe(0);
    expect(rotated.output).not.toContain('an-injected-token-2');
    expect(await found('an-injected-token-2')).toMatchObject([{ is_it: true }]);
  });

  it('refuses a token for the administrator that is too short to be one', async () => {
    const short = processes.start('migrate.js', { ...environment({}), EVERGRANT_ADMINISTRATOR_TOKEN: 'too-short' });
    expect(await short.exited).toBe(1);
    expect(short.output).toContain('EVERGRANT_ADMINISTRATOR_TOKEN must have at least 16 characters');
    expect(short.output).not.toContain('too-short');
  });

  async function pools(): Promise<unknown[]> {
    return database.query('select feature, seats, lease_ttl_seconds, escrow from pool order by feature');
  }

  it('brings an empty database up, and twice is once', async () => {
    for (const [outcome, applied] of [
      ['imported', true],
      ['unchanged', false],
    ]) {
      const { code, said } = await migrated({ 'a.license': await signed() });
      expect(code).toBe(0);
      expect(said.applied.length > 0).toBe(applied);
      expect(said.licenses).toEqual([
        { file: join(processes.folder, 'a.license'), licenseId: 'lic-1', issue: 2, outcome },
      ]);
    }
    expect(await pools()).toEqual([{ feature: 'studio', seats: 25, lease_ttl_seconds: 600, escrow: 3 }]);
    expect(await database.query(`select name, scopes, length(token_sha256) from api_token`)).toEqual([
      { name: 'client', scopes: ['lease'], length: 32 },
    ]);
    expect(JSON.stringify(await database.query('select * from api_token'))).not.toContain('a-token-long-enough');
  });

  it('follows a later issue, and refuses one that takes seats away from their holders', async () => {
    expect(await migrated({ 'a.license': await signed() })).toMatchObject({ code: 0 });
    const entitlements = [
      { feature: 'studio', seats: 30, leaseTtlSeconds: 60, escrow: 1 },
      { feature: 'runner', seats: 1 },
    ];
    expect(await migrated({ 'a.license': await signed({ issue: 3, entitlements }) })).toMatchObject({ code: 0 });
    expect(await pools()).toEqual([
      { feature: 'runner', seats: 1, lease_ttl_seconds: 600, escrow: 1 },
      { feature: 'studio', seats: 30, lease_ttl_seconds: 60, escrow: 1 },
    ]);
    await database.query(`insert into lease (id, pool_id, holder, seats, seq, epoch, granted_at, expires_at)
      select gen_random_uuid(), id, 'room', 20, 20, 1, now(), now() + interval '1 h' from pool where feature = 'studio'`);
    const shrunk = await signed({ issue: 4, entitlements: [{ feature: 'studio', seats: 19 }] });
    const { code, output } = await migrated({ 'a.license': shrunk });
    expect(code).toBe(1);
    expect(output).toContain('a.license: license_shrinks_below_use');
    expect(output).toContain('Assembler/studio would have 19 seats; needed are 20 in use: release 1');
  });

  it('passes over files that newer ones have overtaken, or that have run out, and says so', async () => {
    await migrated({ 'a.license': await signed({ issue: 9 }) });
    const { code, said } = await migrated({
      'a.license': await signed(),
      'b.license': await signed({ licenseId: 'lic-2', validUntil: '2021-01-01T00:00:00Z' }),
    });
    expect(code).toBe(0);
    expect(said.licenses).toMatchObject([
      {
        licenseId: 'lic-1',
        issue: 2,
        outcome: 'skipped',
        reason: expect.stringContaining('issue 9 of license lic-1 is in force'),
      },
      { outcome: 'skipped', reason: expect.stringContaining('it was valid until 2021-01-01T00:00:00Z') },
    ]);
  });

  it('runs several times at once, as beside the first servers of a release', async () => {
    const started = [1, 2, 3, 4].map(() => processes.start('migrate.js', environment({})));
    expect(await Promise.all(started.map(({ exited }) => exited))).toEqual([0, 0, 0, 0]);
  });

  it('ignores hosts of other regions while its own database accepts writes', async () => {
    const given = { ...environment({}), EVERGRANT_DATABASE_OTHER_HOSTS: 'no-such-host.invalid' };
    expect(await processes.start('migrate.js', given).exited).toBe(0);
  });

  it('migrates the database of another region when its own does not answer', async () => {
    const own = environment({});
    const given = {
      ...own,
      EVERGRANT_DATABASE_HOST: '127.0.0.2',
      EVERGRANT_DATABASE_OTHER_HOSTS: String(own.EVERGRANT_DATABASE_HOST),
    };
    const started = processes.start('migrate.js', given);
    expect(await started.exited).toBe(0);
    expect(started.lines[0]).toMatchObject({ msg: 'migrated', host: own.EVERGRANT_DATABASE_HOST });
  });

  it('of an earlier release succeeds on a later schema, and changes nothing', async () => {
    await migrated({});
    await database.query("comment on table schema_migration is 'newest migration: 9999'");
    const again = await migrated({ 'a.license': await signed() });
    expect(again).toMatchObject({ code: 0, said: { msg: 'there is nothing to migrate', schema: 9999 } });
    expect(await pools()).toEqual([]);
  });

  it('names what is wrong with every one of its files, and imports the others', async () => {
    const stranger = await createVendor();
    const { code, output } = await migrated({
      'a.license': await signed(),
      'b.license': 'no license',
      'c.license': await stranger.issue(documentOf(DRAFT)),
    });
    expect(code).toBe(1);
    expect(output).toMatch(/b\.license: license_unreadable: .*line 1 is not the start of a license file/);
    expect(output).toMatch(/c\.license: license_unknown_key: .*which is not trusted here/);
    expect(output).not.toContain('at Object');
    expect(await pools()).toHaveLength(1);
  });
});
