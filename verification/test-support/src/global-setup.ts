import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { clusterHome } from '@evergrant/local-cluster/postgres/binaries';
import { PostgresInstance } from '@evergrant/local-cluster/postgres/instance';
import { migrate } from '@evergrant/server/platform/postgres/migrations';
import { Client } from 'pg';
import { freePort } from './free-port';
import { PASSWORD_OF_ALL_ROLES, rememberPostgres, type SharedPostgres, TEMPLATE_DATABASE } from './shared-postgres';

declare global {
  var evergrantTestPostgres: { instance: PostgresInstance; folders: readonly string[] } | undefined;
}

/**
 * For a whole run of the tests: the processes of the product, bundled as they are started, and one PostgreSQL with the
 * license schema migrated once into a template database.
 */
export default async function globalSetup(): Promise<void> {
  execFileSync(process.execPath, [join(__dirname, '../../../scripts/build.js')], { stdio: 'inherit' });
  const folder = mkdtempSync(join(tmpdir(), 'evergrant-tests-'));
  const home = clusterHome(folder);
  const adminPassword = randomBytes(16).toString('hex');
  const instance = new PostgresInstance({
    name: 'tests/db',
    directory: join(home, 'db'),
    port: await freePort(),
    logFile: join(home, 'db.log'),
    adminPassword,
  });
  await instance.init();
  // Passwords are hashed once: thousands of connections are opened, and each side would hash them 4,096 times.
  const settings = { fsync: 'off', synchronous_commit: 'off', max_connections: '300', scram_iterations: '1' };
  await instance.start({ settings });
  globalThis.evergrantTestPostgres = { instance, folders: [folder, home] };
  const shared = { port: instance.port, adminPassword };
  rememberPostgres(shared);
  await createRoles(instance);
  await createTemplate(instance, shared);
}

async function createRoles(instance: PostgresInstance): Promise<void> {
  for (const role of ['evergrant_owner', 'evergrant_server', 'evergrant_controller']) {
    await instance.query(`create role ${role} login password '${PASSWORD_OF_ALL_ROLES}'`);
  }
  await instance.query('grant pg_read_all_stats to evergrant_server, evergrant_controller');
}

async function createTemplate(instance: PostgresInstance, { port }: SharedPostgres): Promise<void> {
  await instance.query(`create database ${TEMPLATE_DATABASE} owner evergrant_owner`);
  const owner = new Client({
    host: '127.0.0.1',
    port,
    user: 'evergrant_owner',
    password: PASSWORD_OF_ALL_ROLES,
    database: TEMPLATE_DATABASE,
  });
  await owner.connect();
  try {
    await migrate(owner);
  } finally {
    await owner.end();
  }
}
