import type { Attribution } from '../audit/attribution';
import type { Caller, Scope } from '../auth/core/caller';
import type { ExpectedEpoch, InEpoch } from '../epochs/store';

export interface NewApiToken {
  readonly name: string;
  /** SHA-256 in hex. */
  readonly tokenSha256: string;
  readonly scopes: readonly Scope[];
  /** ISO 8601; undefined when the token does not expire. */
  readonly expiresAt: string | undefined;
  readonly controlRoom: string | undefined;
}

export type ApiTokenCreation =
  | { readonly kind: 'created' | 'known' }
  | { readonly kind: 'api_token_exists' | 'token_in_use' | 'control_room_not_found' };

export type ApiTokenRevocation =
  | { readonly kind: 'revoked' | 'already_revoked' }
  | { readonly kind: 'api_token_not_found' | 'last_admin_token' };

/** An API token as the HTTP interface shows it. The hash is not part of it. */
export interface ApiTokenView {
  readonly name: string;
  readonly scopes: readonly string[];
  readonly controlRoom: string | null;
  readonly createdAt: string;
  readonly createdBy: string | null;
  readonly expiresAt: string | null;
  readonly revokedAt: string | null;
  readonly revokedBy: string | null;
  readonly revokedBecause: string | null;
}

export interface ApiTokenFilter {
  readonly controlRoom?: string | undefined;
  /** Only tokens whose name sorts after this one. */
  readonly after?: string | undefined;
  readonly limit: number;
}

/** A valid API token and its caller. */
export interface FoundToken {
  readonly caller: Caller;
  /** By the database's clock; undefined when the token does not expire. */
  readonly expiresInMs: number | undefined;
}

/** API tokens in the license database. Each call may reject with `DatabaseFailure`. */
export interface ApiTokenStore {
  create(token: NewApiToken, attribution: Attribution, expected: ExpectedEpoch): Promise<InEpoch<ApiTokenCreation>>;
  revoke(name: string, attribution: Attribution, expected: ExpectedEpoch): Promise<InEpoch<ApiTokenRevocation>>;
  /** Returns the tokens sorted by name. */
  read(filter: ApiTokenFilter): Promise<ApiTokenView[]>;
  /**
   * Returns the valid tokens among the given hashes.
   *
   * @param sha256s SHA-256 in hex; the result is keyed by it
   */
  find(sha256s: readonly string[]): Promise<ReadonlyMap<string, FoundToken>>;
}
