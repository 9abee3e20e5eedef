import { createHash } from 'node:crypto';
import type { Client } from 'pg';
import type { Scope } from '../../auth/core/caller';

export interface TokenFileEntry {
  readonly name: string;
  readonly token: string;
  readonly scopes: readonly Scope[];
}

/** Stores the hashes of tokens by name. A token of the same name is replaced. */
export async function registerTokens(client: Client, tokens: readonly TokenFileEntry[]): Promise<void> {
  for (const { name, token, scopes } of tokens) {
    await client.query(
      `insert into api_token (name, token_sha256, scopes) values ($1, $2, $3)
       on conflict (name) do update set token_sha256 = excluded.token_sha256, scopes = excluded.scopes`,
      [name, createHash('sha256').update(token).digest(), scopes],
    );
  }
}
