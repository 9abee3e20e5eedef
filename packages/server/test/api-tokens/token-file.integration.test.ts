import { TestDatabase } from '@evergrant/test-support/test-database';
import { sha256Of } from '../../src/api-tokens/api-token-verifier';
import { findApiTokens } from '../../src/api-tokens/sql/find-api-tokens';
import { registerTokenFile } from '../../src/api-tokens/sql/token-file';
import { openPool } from '../../src/platform/postgres/connection';

let database: TestDatabase;

beforeEach(async () => {
  database = await TestDatabase.clone();
});

afterEach(() => database.drop());

const entry = (name: string, token = `the token of ${name}`, scopes: ('lease' | 'read' | 'admin')[] = ['read']) => ({
  name,
  token,
  scopes,
});

const migrate = (...tokens: ReturnType<typeof entry>[]) =>
  database.as('evergrant_owner', (client) => registerTokenFile(client, tokens));

const revokeAsAdministrator = (name: string) =>
  database.query(`select evergrant_revoke_api_token($1, 'ops', 'leaked')`, [name]);

/** Whether a token works, by the way the servers ask. */
async function works(token: string): Promise<boolean> {
  const pool = openPool(database.address('evergrant_server'), { applicationName: 'test', connectionsMax: 1 });
  try {
    return (await findApiTokens(pool, [sha256Of(token)])).size === 1;
  } finally {
    await pool.end();
  }
}

it('token file: revokes a removed token, and restores it when it is back', async () => {
  await migrate(entry('a'), entry('b'));
  expect(await migrate(entry('a'))).toEqual({ revoked: ['b'], stayRevoked: [] });
  expect([await works('the token of a'), await works('the token of b')]).toEqual([true, false]);
  await migrate(entry('a'), entry('b'));
  expect(await works('the token of b')).toBe(true);
});

it('token file: replaces the token of a name', async () => {
  await migrate(entry('a'));
  await migrate(entry('a', 'another token entirely'));
  expect([await works('the token of a'), await works('another token entirely')]).toEqual([false, true]);
});

it('token file: does not restore a token that an administrator revoked, but replaces it', async () => {
  await migrate(entry('root', undefined, ['admin']), entry('a'));
  await revokeAsAdministrator('a');
  expect(await migrate(entry('root', undefined, ['admin']), entry('a'))).toEqual({ revoked: [], stayRevoked: ['a'] });
  expect(await works('the token of a')).toBe(false);
  await migrate(entry('root', undefined, ['admin']), entry('a', 'a fresh token for a'));
  expect(await works('a fresh token for a')).toBe(true);
});

it('token file: owns tokens without created_by', async () => {
  await database.query(`insert into api_token (name, token_sha256, scopes) values ('old', sha256('old'), '{read}')`);
  expect(await migrate()).toEqual({ revoked: ['old'], stayRevoked: [] });
});

it('token file: leaves tokens of administrators and Control Rooms unchanged', async () => {
  await database.query(`select evergrant_create_api_token('made', sha256('made'), '{read}', 'infinity', null, 'ops')`);
  expect(await migrate(entry('a'))).toEqual({ revoked: [], stayRevoked: [] });
  expect(await works('made')).toBe(true);
});

it('token file: reports every conflicting name and changes nothing', async () => {
  for (const name of ['made', 'too']) {
    await database.query(`select evergrant_create_api_token($1, sha256($2), '{read}', 'infinity', null, 'ops')`, [
      name,
      name,
    ]);
  }
  await expect(migrate(entry('a'), entry('made'), entry('too'))).rejects.toThrow(/"made", "too"/);
  expect(await works('the token of a')).toBe(false);
});
