import { randomBytes } from 'node:crypto';
import { chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { postgresAccount } from '@evergrant/local-cluster/postgres/account';
import { clusterHome } from '@evergrant/local-cluster/postgres/binaries';
import { ADMIN_ROLE, PostgresInstance } from '@evergrant/local-cluster/postgres/instance';
import {
  CertificateFolder,
  type Certified,
  createAuthority,
  issueTestCertificate,
} from '@evergrant/test-support/certificates';
import { runProgram } from '@evergrant/test-support/running-world';
import { testVendor } from '@evergrant/test-support/server/test-licenses';
import { sharedPostgres } from '@evergrant/test-support/shared-postgres';
import { type DatabaseAddress, openPool } from '../../src/platform/postgres/connection';

let folder: CertificateFolder;
let authority: Certified;
let instance: PostgresInstance;
const homes: string[] = [];
const adminPassword = randomBytes(16).toString('hex');

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer();
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

beforeAll(async () => {
  folder = new CertificateFolder();
  authority = await createAuthority('database authority');
  const scratch = mkdtempSync(join(tmpdir(), 'evergrant-tls-'));
  const home = clusterHome(scratch);
  homes.push(scratch, home);
  instance = new PostgresInstance({
    name: 'tests/tls',
    directory: join(home, 'db'),
    port: await freePort(),
    logFile: join(home, 'db.log'),
    adminPassword,
  });
  await instance.init();
  const { cert, key } = await issueTestCertificate(authority);
  for (const [name, content] of [
    ['server.crt', cert],
    ['server.key', key],
  ] as const) {
    const path = join(instance.directory, name);
    writeFileSync(path, content, { mode: 0o600 });
    const account = postgresAccount();
    if (account) chownSync(path, account.uid, account.gid);
  }
  await instance.start({ settings: { ssl: 'on', fsync: 'off' } });
});

afterAll(async () => {
  await instance.kill();
  folder.remove();
  for (const home of homes) rmSync(home, { recursive: true, force: true });
});

const address = (changes: Partial<DatabaseAddress> = {}): DatabaseAddress => ({
  host: '127.0.0.1',
  port: instance.port,
  name: 'postgres',
  user: ADMIN_ROLE,
  password: adminPassword,
  ca: authority.cert,
  ...changes,
});

/** How the connection is protected, as the database sees it. */
async function protection(to: DatabaseAddress): Promise<{ ssl: boolean; version: string | null }> {
  const pool = openPool(to, { applicationName: 'test', connectionsMax: 1 });
  try {
    const found = await pool.query('select ssl, version from pg_stat_ssl where pid = pg_backend_pid()');
    return found.rows[0];
  } finally {
    await pool.end();
  }
}

describe('a database with a configured certificate authority', () => {
  it('is connected over TLS', async () => {
    expect(await protection(address())).toEqual({ ssl: true, version: 'TLSv1.3' });
  });

  it('is refused under another authority', async () => {
    const { cert: ca } = await createAuthority('somebody else');
    await expect(protection(address({ ca }))).rejects.toThrow(/self.signed|unable to verify|issuer/i);
  });

  it('is refused under a name that is not in its certificate', async () => {
    await expect(protection(address({ host: 'localhost' }))).rejects.toThrow(/does not match certificate/);
  });

  it('gets no password without TLS', async () => {
    const { port } = sharedPostgres();
    await expect(protection(address({ port }))).rejects.toThrow(/does not support SSL/);
  });
});

describe('the environment', () => {
  const variables = async (changes: Record<string, string>): Promise<Record<string, string>> => ({
    PATH: process.env.PATH ?? '',
    EVERGRANT_DATABASE_HOST: '127.0.0.1',
    EVERGRANT_DATABASE_PORT: String(instance.port),
    EVERGRANT_DATABASE_NAME: 'postgres',
    EVERGRANT_DATABASE_USER: ADMIN_ROLE,
    EVERGRANT_SECRETS_FILE: folder.write('owner.json', JSON.stringify({ databasePassword: adminPassword })),
    EVERGRANT_LICENSE_TRUST_FILE: folder.write('trust.json', JSON.stringify((await testVendor()).trust)),
    ...changes,
  });

  it('makes the migration use TLS', async () => {
    const ca = folder.write('ca.crt', authority.cert);
    const migrated = await runProgram(
      'dist/server/migrate.js',
      [],
      await variables({ EVERGRANT_DATABASE_CA_FILE: ca }),
    );
    expect(migrated).toMatchObject({ code: 0 });
    const wrong = folder.write('wrong.crt', (await createAuthority('somebody else')).cert);
    const refused = await runProgram(
      'dist/server/migrate.js',
      [],
      await variables({ EVERGRANT_DATABASE_CA_FILE: wrong }),
    );
    expect(refused).toMatchObject({ code: 1 });
  });

  it('refuses a remote database without TLS unless explicitly allowed', async () => {
    const far = { EVERGRANT_DATABASE_HOST: 'db.example.test' };
    const refused = await runProgram('dist/server/migrate.js', [], await variables(far));
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('EVERGRANT_DATABASE_CA_FILE') });
    const told = await runProgram(
      'dist/server/migrate.js',
      [],
      await variables({ ...far, EVERGRANT_DATABASE_WITHOUT_TLS: 'yes' }),
    );
    expect(told.stderr).not.toContain('EVERGRANT_DATABASE_CA_FILE');
  });
});
