import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { initialControl } from '@evergrant/controller/core/control-record';
import { toStoredJson } from '@evergrant/controller/core/stored-json';
import type { Region } from '@evergrant/core/regions';
import type { Client } from 'pg';
import { escapeLiteral } from 'pg';
import { projectRoot } from '../world/files';

export interface AuthorityPasswords {
  readonly evergrant_server: string;
  readonly evergrant_controller: string;
}

/**
 * Creates the authority store in the database of the `admin` connection: schema, roles and, only the first time, the
 * first records: epoch 1 for `region`, open from now, automation armed. Existing objects and records stay unchanged.
 */
export async function createAuthorityStore(
  admin: Client,
  { passwords, region = 'oregon' }: { passwords: AuthorityPasswords; region?: Region },
): Promise<void> {
  await createRole(admin, 'evergrant_server', passwords.evergrant_server);
  await createRole(admin, 'evergrant_controller', passwords.evergrant_controller);
  for (const schema of ['authority-store.sql', 'checkpoint-store.sql']) {
    await admin.query(readFileSync(join(projectRoot(), 'packages/local-cluster/src/adapters', schema), 'utf8'));
  }
  await admin.query(
    `insert into authority (epoch, region, latched_at, opens_at) values (1, $1, clock_timestamp(), clock_timestamp())
     on conflict (singleton) do nothing`,
    [region],
  );
  await admin.query(`insert into control (version, record) values (1, $1) on conflict (singleton) do nothing`, [
    toStoredJson(initialControl(Date.now())),
  ]);
}

async function createRole(admin: Client, role: keyof AuthorityPasswords, password: string): Promise<void> {
  const known = await admin.query('select from pg_roles where rolname = $1', [role]);
  if (known.rowCount !== 0) return;
  // PostgreSQL logs failed statements by default, and this one contains a password.
  await admin.query("set log_min_error_statement = 'panic'");
  await admin.query(`create role ${role} login password ${escapeLiteral(password)}`);
}
