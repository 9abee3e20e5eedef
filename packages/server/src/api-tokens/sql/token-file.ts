import { createHash } from 'node:crypto';
import type { Client } from 'pg';
import type { TokenFileEntry } from './register-tokens';

export interface TokenFileOutcome {
  /** Tokens that were in the file before and no longer are. */
  readonly revoked: readonly string[];
  /** Tokens in the file that an administrator revoked. The file does not restore them. */
  readonly stayRevoked: readonly string[];
}

const SOURCE = 'token-file';
const ABSENT = 'absent from the token file';

/**
 * Replaces a token of the same name, which then is valid again. A token that an administrator revoked stays revoked unless
 * its hash changes. Tokens without `created_by` predate that column, when only the file created tokens.
 */
const REGISTER = `
insert into api_token (name, token_sha256, scopes, created_by) values ($1, $2, $3, '${SOURCE}')
on conflict (name) do update set scopes = excluded.scopes, created_by = excluded.created_by,
  token_sha256 = excluded.token_sha256,
  revoked_at = case when api_token.token_sha256 = excluded.token_sha256 and api_token.revoked_by <> '${SOURCE}'
    then api_token.revoked_at end,
  revoked_by = case when api_token.token_sha256 = excluded.token_sha256 and api_token.revoked_by <> '${SOURCE}'
    then api_token.revoked_by end,
  revoked_because = case when api_token.token_sha256 = excluded.token_sha256 and api_token.revoked_by <> '${SOURCE}'
    then api_token.revoked_because end
where coalesce(api_token.created_by, '${SOURCE}') = '${SOURCE}'
returning revoked_at is not null as "staysRevoked"`;

const REVOKE_ABSENT = `
update api_token set revoked_at = clock_timestamp(), revoked_by = '${SOURCE}', revoked_because = '${ABSENT}'
where coalesce(created_by, '${SOURCE}') = '${SOURCE}' and revoked_at is null and name <> all($1)
returning name`;

/**
 * Synchronizes the tokens of the file with the database, which stores only their hashes. Tokens that administrators or
 * Control Rooms created stay unchanged. Throws, without any change, when one of them has a name from the file.
 */
export async function registerTokenFile(client: Client, tokens: readonly TokenFileEntry[]): Promise<TokenFileOutcome> {
  await client.query('begin');
  try {
    await client.query('select evergrant_speak_as($1, $2)', [SOURCE, 'the token file was read']);
    const { stayRevoked, taken } = await register(client, tokens);
    if (taken.length > 0) {
      const names = taken.map((name) => `"${name}"`).join(', ');
      throw new Error(
        `the token file uses names of tokens that an administrator created: ${names}. Choose other names`,
      );
    }
    const revoked = await client.query<{ name: string }>(REVOKE_ABSENT, [tokens.map(({ name }) => name)]);
    await client.query('commit');
    return { stayRevoked, revoked: revoked.rows.map(({ name }) => name).sort() };
  } catch (error) {
    await client.query('rollback');
    throw error;
  }
}

async function register(
  client: Client,
  tokens: readonly TokenFileEntry[],
): Promise<{ stayRevoked: string[]; taken: string[] }> {
  const stayRevoked: string[] = [];
  const taken: string[] = [];
  for (const { name, token, scopes } of tokens) {
    const values = [name, createHash('sha256').update(token).digest(), scopes];
    const [row] = (await client.query<{ staysRevoked: boolean }>(REGISTER, values)).rows;
    if (!row) taken.push(name);
    else if (row.staysRevoked) stayRevoked.push(name);
  }
  return { stayRevoked, taken };
}
