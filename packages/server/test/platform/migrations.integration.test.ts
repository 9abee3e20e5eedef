import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TestDatabase } from '@evergrant/test-support/test-database';
import { migrate, readMigrations } from '../../src/platform/postgres/migrations';

let database: TestDatabase;
let folder: string;

beforeEach(async () => {
  database = await TestDatabase.empty();
  folder = mkdtempSync(join(tmpdir(), 'evergrant-migrations-'));
  write('grants.sql', '');
  write('0001_first.sql', 'create table first (id int)');
});

afterEach(async () => {
  rmSync(folder, { recursive: true, force: true });
  await database.drop();
});

function write(name: string, sql: string): void {
  writeFileSync(join(folder, name), sql);
}

function run(): Promise<string[]> {
  return database.as('evergrant_owner', (client) => migrate(client, folder));
}

it('applies each migration once, in order', async () => {
  expect(await run()).toEqual(['0001_first.sql']);
  write('0002_second.sql', 'insert into first values (2)');
  expect(await run()).toEqual(['0002_second.sql']);
  expect(await run()).toEqual([]);
});

it('runs once when several start together', async () => {
  const applied = await Promise.all([run(), run(), run()]);
  expect(applied.flat()).toEqual(['0001_first.sql']);
});

it('takes a failing migration back whole and names it', async () => {
  write('0002_second.sql', 'create table second (id int); select 1/0');
  await expect(run()).rejects.toThrow(/migration 0002_second.sql failed: division by zero/);
  expect(await database.query(`select to_regclass('second') as second`)).toEqual([{ second: null }]);
});

it('refuses a migration that was changed after it had been applied', async () => {
  await run();
  write('0001_first.sql', 'create table first (id bigint)');
  await expect(run()).rejects.toThrow(/0001_first.sql was changed after it had been applied/);
});

it('refuses a database that is newer than the release', async () => {
  write('0002_second.sql', 'select 1');
  await run();
  rmSync(join(folder, '0002_second.sql'));
  await expect(run()).rejects.toThrow(/the database has migration 2/);
});

it('refuses a migration that slipped in before one that had been applied', async () => {
  write('0003_third.sql', 'select 1');
  expect(await run()).toEqual(['0001_first.sql', '0003_third.sql']);
  write('0002_second.sql', 'select 1');
  await expect(run()).rejects.toThrow(
    /0002_second.sql was added after migration 3 had been applied: give it a higher number/,
  );
});

it('refuses a number that is used twice', () => {
  write('0001_other.sql', 'select 1');
  expect(() => readMigrations(folder)).toThrow(/0001_other.sql: another migration has the number 1/);
});
