import type { Caller } from '../auth/core/caller';

/** The caller of a valid API token. */
export interface FoundToken {
  readonly caller: Caller;
  /** By the database's clock; undefined when the token does not expire. */
  readonly expiresInMs: number | undefined;
}

/** May reject with `DatabaseFailure`. */
export interface ApiTokenStore {
  /** Finds the valid tokens among SHA-256 hashes in hex, keyed by hash. */
  find(sha256s: readonly string[]): Promise<ReadonlyMap<string, FoundToken>>;
}
