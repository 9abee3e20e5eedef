/** Brings the license database up to date: migrations, then license files, then API tokens. Idempotent. */
import { readFileSync } from 'node:fs';
import { EnvironmentError } from '@evergrant/core/environment/environment-error';
import { type Static, type TSchema, Type } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import { Client } from 'pg';
import { registerTokenFile } from './api-tokens/sql/token-file';
import { type MigrationEnvironment, readMigrationEnvironment, TOKEN_LENGTH_MIN } from './config/migration-environment';
import { importLicenseFiles, LicenseFilesError } from './licenses/import-files';
import { type DatabaseAddress, tlsTo } from './platform/postgres/connection';
import { lockMigrations, migrate, schemaOfThisRelease } from './platform/postgres/migrations';
import { makeRoles } from './platform/postgres/roles';
import { findMigrationTarget } from './platform/postgres/writable-database';

const TokensFile = Type.Array(
  Type.Object({
    name: Type.String({ minLength: 1, maxLength: 200 }),
    token: Type.String({ minLength: TOKEN_LENGTH_MIN }),
    scopes: Type.Array(Type.Union([Type.Literal('lease'), Type.Literal('read'), Type.Literal('admin')])),
  }),
);

async function main(environment: MigrationEnvironment): Promise<void> {
  const tokens = givenTokens(environment);
  const { database, otherHosts } = environment;
  const target = await findMigrationTarget({
    hosts: [database.host, ...otherHosts],
    connect: (host) => connect({ ...database, host }),
    schemaOfThisRelease: schemaOfThisRelease(),
  });
  if (target.kind === 'up_to_date') {
    const { host, schema, isFollower } = target;
    say({ msg: 'there is nothing to migrate', host, schema, isFollower });
    return;
  }
  const client = target.session;
  try {
    // Several servers of a new release start at once, each after a migration. Concurrent changes of roles would fail.
    await lockMigrations(client);
    await makeRoles(client, environment.rolePasswords);
    const applied = await migrate(client);
    const licenses = await importLicenseFiles(client, environment);
    const outcome = tokens ? await registerTokenFile(client, tokens) : undefined;
    say({
      msg: 'migrated',
      host: target.host,
      applied,
      licenses,
      tokens: tokens ? tokens.map((token) => token.name) : [],
      tokensRevoked: outcome?.revoked ?? [],
      tokensThatStayRevoked: outcome?.stayRevoked ?? [],
    });
  } finally {
    await client.end();
  }
}

async function connect(address: DatabaseAddress): Promise<Client> {
  const { host, port, user, password, name: database } = address;
  const client = new Client({
    host,
    port,
    user,
    password,
    database,
    ssl: tlsTo(address),
    connectionTimeoutMillis: 5_000,
    application_name: 'evergrant migrate',
  });
  await client.connect();
  return client;
}

/** Undefined: nothing is said about tokens, and those of earlier runs stay. */
function givenTokens({ tokensFile, administratorToken }: MigrationEnvironment): Static<typeof TokensFile> | undefined {
  if (tokensFile === undefined && administratorToken === undefined) return undefined;
  const inFile = tokensFile === undefined ? [] : readAs(TokensFile, tokensFile);
  if (administratorToken === undefined) return inFile;
  return [...inFile, { name: 'administrator', token: administratorToken, scopes: ['admin', 'read'] }];
}

/** The message names the place in the file, never its content. */
function readAs<T extends TSchema>(schema: T, path: string): Static<T> {
  const content = parseJson(path);
  if (Value.Check(schema, content)) return content;
  const mistakes = [...Value.Errors(schema, content)].map((mistake) => `${mistake.path || '/'}: ${mistake.message}`);
  throw new Error(`${path} is not usable:\n  ${mistakes.join('\n  ')}`);
}

function parseJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    // A parser's message quotes what it read.
    throw error instanceof SyntaxError ? new Error(`${path} is not JSON`) : error;
  }
}

function say(done: object): void {
  process.stdout.write(`${JSON.stringify({ time: new Date().toISOString(), ...done })}\n`);
}

async function run(): Promise<void> {
  await main(await readMigrationEnvironment(process.env));
}

run().catch((error) => {
  const expected = error instanceof EnvironmentError || error instanceof LicenseFilesError;
  process.stderr.write(`${expected ? error.message : (error?.stack ?? error)}\n`);
  process.exit(1);
});
