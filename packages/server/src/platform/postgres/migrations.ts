import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Client } from 'pg';
import { EPOCH_LOCK } from './transaction';

export interface Migration {
  readonly number: number;
  readonly name: string;
  readonly sql: string;
  readonly sha256: string;
}

const MIGRATION_LOCK = 7_303_014_000;
const FILE_NAME = /^(\d{4})_[a-z0-9_]+\.sql$/;

/** The folder `migrations` beside the bundle in dist/server, or the package's folder when run from its sources. */
export function migrationsFolder(): string {
  let folder = __dirname;
  while (!existsSync(join(folder, 'migrations'))) {
    if (dirname(folder) === folder) throw new Error(`no folder named migrations above ${__dirname}`);
    folder = dirname(folder);
  }
  return join(folder, 'migrations');
}

export function readMigrations(folder = migrationsFolder()): Migration[] {
  const migrations = readdirSync(folder)
    .filter((name) => FILE_NAME.test(name))
    .sort()
    .map((name) => {
      const sql = readFileSync(join(folder, name), 'utf8');
      return { number: Number(name.slice(0, 4)), name, sql, sha256: createHash('sha256').update(sql).digest('hex') };
    });
  migrations.forEach(({ name, number }, index) => {
    if (migrations[index - 1]?.number === number)
      throw new Error(`${name}: another migration has the number ${number}`);
  });
  return migrations;
}

/** Waits until no other process migrates. The lock ends with the session. */
export async function lockMigrations(client: Client): Promise<void> {
  await client.query('select pg_advisory_lock($1)', [MIGRATION_LOCK]);
}

/**
 * Migrates the schema forward. Each migration runs in its own transaction, and one process at a time migrates.
 * Throws when an applied migration has changed. Resolves to the names of the migrations that this call applied.
 */
export async function migrate(client: Client, folder = migrationsFolder()): Promise<string[]> {
  const migrations = readMigrations(folder);
  await lockMigrations(client);
  try {
    await client.query(`create table if not exists schema_migration (
      number integer primary key, name text not null, sha256 text not null,
      applied_at timestamptz not null default clock_timestamp())`);
    const rows = await client.query<{ number: number; sha256: string }>('select number, sha256 from schema_migration');
    const applied = new Map(rows.rows.map((row) => [row.number, row.sha256]));
    const newest = Math.max(0, ...applied.keys());
    if (newest > (migrations.at(-1)?.number ?? 0))
      throw new Error(`the database has migration ${newest}, which is newer than this release`);

    const appliedNow: string[] = [];
    for (const migration of migrations) {
      const sha256 = applied.get(migration.number);
      if (sha256 === undefined) {
        // Later migrations were written without this one. Applied now, it would run on an untested schema.
        if (migration.number < newest)
          throw new Error(
            `${migration.name} was added after migration ${newest} had been applied: give it a higher number`,
          );
        await apply(client, migration);
        appliedNow.push(migration.name);
      } else if (sha256 !== migration.sha256) {
        throw new Error(`${migration.name} was changed after it had been applied: restore it and add a new migration`);
      }
    }
    await recordSchema(client, migrations.at(-1)?.number ?? 0);
    await client.query(readFileSync(join(folder, 'grants.sql'), 'utf8'));
    return appliedNow;
  } finally {
    await client.query('select pg_advisory_unlock($1)', [MIGRATION_LOCK]);
  }
}

const SCHEMA_COMMENT_PREFIX = 'newest migration: ';

/** SQL for the newest applied migration. Reading a comment needs no privilege, and a follower has the comment too. */
export const SCHEMA_FOUND = `substring(obj_description(to_regclass('schema_migration'), 'pg_class') from '^${SCHEMA_COMMENT_PREFIX}(\\d+)$')::int`;

/** Records the newest migration in the database. A server that needs a newer schema does not grant. */
async function recordSchema(client: Client, newest: number): Promise<void> {
  await client.query(`comment on table schema_migration is '${SCHEMA_COMMENT_PREFIX}${newest}'`);
}

/** The number of the newest migration of this release. */
export function schemaOfThisRelease(): number {
  return readMigrations().at(-1)?.number ?? 0;
}

async function apply(client: Client, { number, name, sql, sha256 }: Migration): Promise<void> {
  await client.query('begin');
  try {
    // Servers may be granting. Every granting transaction shares this lock before it takes any other lock. With the
    // exclusive lock, a migration cannot deadlock with a granting transaction.
    await client.query(`select pg_advisory_xact_lock(${EPOCH_LOCK})`);
    await client.query(sql);
    await client.query('insert into schema_migration (number, name, sha256) values ($1, $2, $3)', [
      number,
      name,
      sha256,
    ]);
    await client.query('commit');
  } catch (cause) {
    await client.query('rollback');
    throw new Error(`migration ${name} failed: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
}
