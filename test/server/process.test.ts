import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Agent, request } from 'undici';
import { eventually } from '../support/eventually';
import { TestDatabase } from '../support/test-database';
import { createVendor, DRAFT, documentOf } from '../support/vendor';
import { type LicenseDraft, signForTest } from './support/test-licenses';
import { PRODUCT, SIGNING_KEY, TestWorld, TOKENS } from './support/test-world';

const PROJECT = join(__dirname, '..', '..');

let folder: string;
let world: TestWorld;
const children: ChildProcess[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'evergrant-process-'));
  world = await TestWorld.create();
});

afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
  await world.close();
});

interface Started {
  readonly child: ChildProcess;
  readonly lines: Record<string, unknown>[];
  output: string;
  readonly exited: Promise<number | null>;
}

function start(entry: string, environment: Record<string, string>): Started {
  const child = spawn(process.execPath, [join(PROJECT, 'dist', 'server', entry)], {
    env: { PATH: process.env.PATH, ...environment },
  });
  children.push(child);
  const started: Started = {
    child,
    lines: [],
    output: '',
    exited: new Promise((resolve) => child.once('exit', (code) => resolve(code))),
  };
  child.stdout?.on('data', (chunk) => {
    started.output += chunk;
    for (const line of String(chunk)
      .split('\n')
      .filter((text) => text.startsWith('{'))) {
      try {
        started.lines.push(JSON.parse(line) as Record<string, unknown>);
      } catch {
        // Half a line; the announcements looked for here arrive whole.
      }
    }
  });
  child.stderr?.on('data', (chunk) => {
    started.output += chunk;
  });
  return started;
}

function file(name: string, content: unknown): string {
  const path = join(folder, name);
  writeFileSync(path, JSON.stringify(content), { mode: 0o600 });
  return path;
}

function serverEnvironment(): Record<string, string> {
  const database = world.database.address('evergrant_server');
  const authority = world.authority.database.address('evergrant_server');
  return {
    EVERGRANT_REGION: 'oregon',
    EVERGRANT_SERVER: 'oregon/app-1',
    EVERGRANT_PORT_LISTEN: '0',
    EVERGRANT_DATABASE_HOST: database.host,
    EVERGRANT_DATABASE_PORT: String(database.port),
    EVERGRANT_DATABASE_NAME: database.name,
    EVERGRANT_DATABASE_USER: database.user,
    EVERGRANT_AUTHORITY_HOST: authority.host,
    EVERGRANT_AUTHORITY_PORT: String(authority.port),
    EVERGRANT_AUTHORITY_NAME: authority.name,
    EVERGRANT_AUTHORITY_USER: authority.user,
    EVERGRANT_SECRETS_FILE: file('secrets.json', {
      databasePassword: database.password,
      authorityPassword: authority.password,
      signingKeys: { keys: [SIGNING_KEY] },
      deploymentKeys: { keys: [world.vendor.deployment] },
    }),
    EVERGRANT_LICENSE_TRUST_FILE: file('trust.json', world.vendor.trust),
    // One region alone: there is no follower that an answer could wait for.
    EVERGRANT_REGION_ADDRESSES: JSON.stringify({ oregon: 'http://oregon.test' }),
    EVERGRANT_AUTHORITY_LEASE_MS: '3000',
    EVERGRANT_RENEWAL_EVERY_MS: '300',
    EVERGRANT_SKEW_MS: '500',
    EVERGRANT_LOG_LEVEL: 'debug',
  };
}

async function addressOf(started: Started): Promise<string> {
  const line = await eventually('it has started', () =>
    started.lines.find((seen) => seen.announce === 'oregon/app-1 started'),
  );
  return String(line.address);
}

async function grants(address: string): Promise<boolean> {
  const { body } = await request(`${address}/v1/status`);
  return ((await body.json()) as { granting: boolean }).granting;
}

describe('a server process', () => {
  it('drains on SIGTERM: what is in flight is finished, and it ends well before its deadline', async () => {
    const started = start('main.js', serverEnvironment());
    const address = await addressOf(started);
    await eventually('it grants', () => grants(address));
    const agent = new Agent({ connections: 16 });
    const answers: { status: number; leaseId: string }[] = [];
    let refusedConnections = 0;
    let going = true;
    const clients = Array.from({ length: 16 }, async () => {
      while (going) {
        const leaseId = randomUUID();
        try {
          const { statusCode, body } = await request(`${address}/v1/leases/${leaseId}`, {
            method: 'PUT',
            dispatcher: agent,
            headers: { authorization: `Bearer ${TOKENS.client}`, 'content-type': 'application/json' },
            body: JSON.stringify({ product: PRODUCT, feature: 'runner', seats: 1, holder: 'room' }),
          });
          await body.dump();
          answers.push({ status: statusCode, leaseId });
        } catch {
          refusedConnections += 1;
          return;
        }
      }
    });
    await eventually('there is traffic', () => answers.length > 50);
    const askedAt = performance.now();
    started.child.kill('SIGTERM');
    expect(await started.exited).toBe(0);
    expect(performance.now() - askedAt).toBeLessThan(10_000);
    going = false;
    await Promise.all(clients);
    await agent.close();

    expect(started.lines).toContainEqual(
      expect.objectContaining({ announce: 'oregon/app-1 is draining', signal: 'SIGTERM' }),
    );
    // Up to the end every request was either answered properly or met a closed door.
    expect(answers.filter((answer) => answer.status !== 201 && answer.status !== 409)).toEqual([]);
    expect(refusedConnections).toBeGreaterThan(0);
    const kept = await world.database.query<{ id: string }>('select id from lease');
    const known = new Set(kept.map((row) => row.id));
    expect(answers.filter((answer) => answer.status === 201 && !known.has(answer.leaseId))).toEqual([]);
  });

  it('finishes what is in flight when it is told to end', async () => {
    const started = start('main.js', serverEnvironment());
    const address = await addressOf(started);
    await eventually('it grants', () => grants(address));
    await world.database.as('evergrant_owner', async (client) => {
      await client.query(`begin; select from pool where feature = 'studio' for update`);
      const inFlight = request(`${address}/v1/leases/${randomUUID()}`, {
        method: 'PUT',
        headers: { authorization: `Bearer ${TOKENS.client}`, 'content-type': 'application/json' },
        body: JSON.stringify({ product: PRODUCT, feature: 'studio', seats: 1, holder: 'room' }),
      });
      await eventually('the request waits for its pool', async () => {
        const waiting = await world.database.as('evergrant_admin', (admin) =>
          admin.query(`select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`),
        );
        return waiting.rowCount === 1;
      });
      started.child.kill('SIGTERM');
      await eventually('it drains', () => started.lines.some((line) => line.announce === 'oregon/app-1 is draining'));
      await client.query('commit');
      expect((await inFlight).statusCode).toBe(201);
    });
    expect(await started.exited).toBe(0);
  });

  it('never writes a secret into its log', async () => {
    const environment = serverEnvironment();
    const started = start('main.js', { ...environment, EVERGRANT_LOG_LEVEL: 'trace' });
    const address = await addressOf(started);
    await eventually('it grants', () => grants(address));
    const call = async (method: 'PUT' | 'POST' | 'DELETE', path: string, body: unknown, token = TOKENS.client) => {
      const answer = await request(`${address}${path}`, {
        method,
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
      return (await answer.body.text().then((text) => (text ? JSON.parse(text) : {}))) as { token?: string };
    };
    await world.database.query(`update lease set state = 'released', ended_at = now() where state = 'live'`);
    const path = `/v1/leases/${randomUUID()}`;
    const { token = 'no token' } = await call('PUT', path, {
      product: PRODUCT,
      feature: 'runner',
      seats: 1,
      holder: 'room',
    });
    await call('POST', `${path}/heartbeat`, { token });
    await call('PUT', path, { product: 7, token });
    await call('DELETE', path, { token }, TOKENS.reader);
    await world.database.refuseConnections(true);
    await call('DELETE', path, { token });
    await world.database.refuseConnections(false);
    started.child.kill('SIGTERM');
    await started.exited;

    expect(token.split('.')).toHaveLength(3);
    const { password } = world.database.address('evergrant_server');
    for (const secret of [token, TOKENS.client, TOKENS.reader, password, String(SIGNING_KEY.d)]) {
      expect(started.output.includes(secret)).toBe(false);
    }
  });

  it('names every mistake of its environment at once, and no secret', async () => {
    const started = start('main.js', {
      ...serverEnvironment(),
      EVERGRANT_REGION: '',
      EVERGRANT_PORT_LISTEN: 'eighty',
      EVERGRANT_AUTHORITY_LEASE_MS: '100',
      EVERGRANT_REGION_ADDRESSES: '{',
      EVERGRANT_SECRETS_FILE: file('half.json', {
        databasePassword: 'hush-hush',
        signingKeys: { keys: [{ kty: 'RSA' }] },
        deploymentKeys: { keys: [world.vendor.key] },
      }),
      EVERGRANT_LICENSE_TRUST_FILE: file('half-trust.json', { roots: [world.vendor.deployment], seats: 7 }),
    });
    expect(await started.exited).toBe(1);
    for (const mistake of [
      'EVERGRANT_REGION is missing',
      'EVERGRANT_PORT_LISTEN must be a whole number from 0 to 65535, not "eighty"',
      'EVERGRANT_REGION_ADDRESSES is not JSON',
      'EVERGRANT_SECRETS_FILE: authorityPassword is missing',
      'EVERGRANT_SECRETS_FILE: signingKeys.keys must be private Ed25519 JSON Web Keys with a kid',
      'EVERGRANT_RENEWAL_EVERY_MS must be shorter than EVERGRANT_AUTHORITY_LEASE_MS',
      'EVERGRANT_SECRETS_FILE: deploymentKeys.keys.0 must be a deployment key: this is a vendor key',
      'EVERGRANT_LICENSE_TRUST_FILE: seats is not known here',
    ]) {
      expect(started.output).toContain(mistake);
    }
    expect(started.output).not.toContain('hush-hush');
  });
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
      writeFileSync(join(folder, fileName), content);
      return join(folder, fileName);
    });
    return {
      EVERGRANT_DATABASE_HOST: host,
      EVERGRANT_DATABASE_PORT: String(port),
      EVERGRANT_DATABASE_NAME: name,
      EVERGRANT_DATABASE_USER: user,
      EVERGRANT_SECRETS_FILE: file('owner.json', {
        databasePassword: password,
        deploymentKeys: { keys: [world.vendor.deployment] },
      }),
      EVERGRANT_LICENSE_TRUST_FILE: file('trust.json', world.vendor.trust),
      EVERGRANT_LICENSE_FILES: JSON.stringify(paths),
      EVERGRANT_TOKENS_FILE: file('tokens.json', [{ name: 'client', token: 'a-token-long-enough', scopes: ['lease'] }]),
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
  ): Promise<{ code: number | null; output: string; said: Said }> {
    const started = start('migrate.js', environment(licenses));
    const code = await started.exited;
    return { code, output: started.output, said: started.lines[0] as unknown as Said };
  }

  interface Said {
    readonly applied: string[];
    readonly licenses: { licenseId: string; issue: number; outcome: string; because?: string }[];
  }

  it('makes the first administrator of the token that a container service injects, and revokes it with the next', async () => {
    const first = {
      ...environment({}),
      EVERGRANT_TOKENS_FILE: '',
      EVERGRANT_ADMINISTRATOR_TOKEN: 'an-injected-token-1',
    };
    expect(await start('migrate.js', first).exited).toBe(0);
    const tokens = `select name, scopes, token_sha256 = sha256($1) as is_it from api_token where revoked_at is null`;
    const found = (token: string) => database.query(tokens, [Buffer.from(token)]);
    expect(await found('an-injected-token-1')).toEqual([
      { name: 'administrator', scopes: ['admin', 'read'], is_it: true },
    ]);
    const rotated = start('migrate.js', { ...first, EVERGRANT_ADMINISTRATOR_TOKEN: 'an-injected-token-2' });
    expect(await rotated.exited).toBe(0);
    expect(rotated.output).not.toContain('an-injected-token-2');
    expect(await found('an-injected-token-2')).toMatchObject([{ is_it: true }]);
  });

  it('refuses a token for the administrator that is too short to be one', async () => {
    const short = start('migrate.js', { ...environment({}), EVERGRANT_ADMINISTRATOR_TOKEN: 'too-short' });
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
      expect(said.licenses).toEqual([{ file: join(folder, 'a.license'), licenseId: 'lic-1', issue: 2, outcome }]);
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
    expect(output).toContain('Assembler/studio would have 19 seats and has 20 in use: have 1 released');
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
        because: expect.stringContaining('issue 9 of license lic-1 is in force'),
      },
      { outcome: 'skipped', because: expect.stringContaining('it was valid until 2021-01-01T00:00:00Z') },
    ]);
  });

  it('names what is wrong with every one of its files, and imports the others', async () => {
    const stranger = await createVendor();
    const { code, output } = await migrated({
      'a.license': await signed(),
      'b.license': 'no license',
      'c.license': await stranger.issue(documentOf(DRAFT)),
    });
    expect(code).toBe(1);
    expect(output).toMatch(/b\.license: license_unreadable: .*line 1 is not the first line of a license file/);
    expect(output).toMatch(/c\.license: license_unknown_key: .*which is not trusted here/);
    expect(output).not.toContain('at Object');
    expect(await pools()).toHaveLength(1);
  });
});
