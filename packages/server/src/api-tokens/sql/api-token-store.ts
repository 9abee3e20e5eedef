import type { Pool } from 'pg';
import type { ApiTokenStore } from '../store';
import { createApiToken } from './create-api-token';
import { findApiTokens } from './find-api-tokens';
import { readApiTokens } from './read-api-tokens';
import { revokeApiToken } from './revoke-api-token';

/** @param watching connections that busy granting cannot occupy; every request looks its token up on them */
export function apiTokenStoreOn({ granting, watching }: { granting: Pool; watching: Pool }): ApiTokenStore {
  return {
    create: (token, attribution, expected) => createApiToken(granting, token, attribution, expected),
    revoke: (name, attribution, expected) => revokeApiToken(granting, name, attribution, expected),
    read: (filter) => readApiTokens(granting, filter),
    find: (sha256s) => findApiTokens(watching, sha256s),
  };
}
