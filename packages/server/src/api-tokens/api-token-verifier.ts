import { hash } from 'node:crypto';
import type { Logger } from 'pino';
import type { Caller } from '../auth/core/caller';
import { Batcher } from '../platform/batcher';
import type { MonotonicClock } from '../platform/clock';
import { DatabaseFailure } from '../platform/database-failure';
import type { ApiTokenStore, FoundToken } from './store';

/** From this age on, a cached token is looked up again in the background while the cached caller is still used. */
const REFRESH_AFTER_MS = 2_000;
/** Maximum age of a cached token. A revocation is effective within this time and one lookup after its commit. */
const CACHED_FOR_MS = 4_000;
const UNKNOWN_CACHED_FOR_MS = 1_000;
const CACHED_MAX = 50_000;
const UNKNOWN_CACHED_MAX = 10_000;

export type TokenVerdict =
  | { readonly kind: 'known'; readonly caller: Caller }
  | { readonly kind: 'unknown' }
  /** The database did not answer. */
  | { readonly kind: 'unavailable' }
  | { readonly kind: 'overloaded' };

interface CachedToken {
  readonly caller: Caller;
  readonly lookedUpAtMs: number;
  /** The token's own expiry, counted from the lookup. */
  readonly expiresAtMs: number;
}

type Lookup =
  | { readonly kind: 'looked_up'; readonly found: FoundToken | undefined; readonly lookedUpAtMs: number }
  | { readonly kind: 'unavailable' }
  | { readonly kind: 'overloaded' };

export interface ApiTokenVerifierOptions {
  readonly store: Pick<ApiTokenStore, 'find'>;
  readonly clock: MonotonicClock;
  readonly log: Logger;
  /** False while the database is known to be unreachable. No lookup is attempted then. */
  readonly databaseAnswers: () => boolean;
}

/**
 * Verifies bearer tokens. Each token is looked up when it is used and cached for a short time. A token that another
 * server created works at once, and a revoked token stops working on every server within seconds. Concurrent lookups
 * share one query. While the database is unreachable, cached tokens stay valid: no request can be granted then anyway.
 */
export class ApiTokenVerifier {
  readonly #options: ApiTokenVerifierOptions;
  readonly #cached = new Map<string, CachedToken>();
  readonly #unknownUntilMs = new Map<string, number>();
  readonly #lookups = new Map<string, Promise<TokenVerdict>>();
  readonly #batcher: Batcher<string, Lookup>;

  constructor(options: ApiTokenVerifierOptions) {
    this.#options = options;
    this.#batcher = new Batcher<string, Lookup>({
      sizeMax: 1_000,
      waitingMax: 5_000,
      overloaded: { kind: 'overloaded' },
      run: async (hashes) => {
        // Read before the query is sent, so the cached answer is never younger than it claims.
        const lookedUpAtMs = options.clock.nowMs();
        try {
          const found = await options.store.find([...new Set(hashes)]);
          return {
            kind: 'each',
            answers: hashes.map((sha256) => ({ kind: 'looked_up', found: found.get(sha256), lookedUpAtMs })),
          };
        } catch (error) {
          if (!(error instanceof DatabaseFailure)) throw error;
          options.log.debug({ failure: error.message }, 'API tokens could not be looked up');
          return { kind: 'all', answer: { kind: 'unavailable' } };
        }
      },
    });
  }

  check(token: string): Promise<TokenVerdict> {
    return this.checkSha256(sha256Of(token));
  }

  /**
   * Verifies a token by its hash, so that a session can check its token repeatedly without keeping it.
   * The lookup by hash does not leak the token through timing.
   *
   * @param sha256 in hex
   */
  async checkSha256(sha256: string): Promise<TokenVerdict> {
    const { clock, databaseAnswers } = this.#options;
    const nowMs = clock.nowMs();
    const cached = this.#cached.get(sha256);
    if (cached && nowMs < cached.expiresAtMs) {
      const ageMs = nowMs - cached.lookedUpAtMs;
      if (ageMs < REFRESH_AFTER_MS || !databaseAnswers()) return { kind: 'known', caller: cached.caller };
      const refreshed = this.#lookUp(sha256);
      if (ageMs >= CACHED_FOR_MS) return refreshed;
      // A background refresh may fail; a later call that awaits its own lookup reports the failure.
      refreshed.catch(() => undefined);
      return { kind: 'known', caller: cached.caller };
    }
    if ((this.#unknownUntilMs.get(sha256) ?? 0) > nowMs) return { kind: 'unknown' };
    return databaseAnswers() ? this.#lookUp(sha256) : { kind: 'unavailable' };
  }

  /** Whether a token was valid recently. Such a caller is exempt from the rate limit for failed authentication. */
  remembers(sha256: string): boolean {
    return this.#cached.has(sha256);
  }

  /** Drops one token from the cache, or all, so that a change made through this server is effective at once. */
  forget(sha256?: string): void {
    if (sha256 === undefined) {
      this.#cached.clear();
      this.#unknownUntilMs.clear();
    } else {
      this.#cached.delete(sha256);
      this.#unknownUntilMs.delete(sha256);
    }
  }

  /** Concurrent requests with the same token share one lookup. */
  #lookUp(sha256: string): Promise<TokenVerdict> {
    const lookup = this.#lookups.get(sha256) ?? this.#lookUpInBatch(sha256).finally(() => this.#lookups.delete(sha256));
    this.#lookups.set(sha256, lookup);
    return lookup;
  }

  async #lookUpInBatch(sha256: string): Promise<TokenVerdict> {
    const lookup = await this.#batcher.add(sha256);
    if (lookup.kind !== 'looked_up') return lookup;
    const { found, lookedUpAtMs } = lookup;
    this.#cached.delete(sha256);
    if (!found) {
      makeRoom(this.#unknownUntilMs, UNKNOWN_CACHED_MAX).set(sha256, lookedUpAtMs + UNKNOWN_CACHED_FOR_MS);
      return { kind: 'unknown' };
    }
    const { caller, expiresInMs } = found;
    // The entry was deleted above, so the map stays in the order of lookups and the oldest entry is evicted first.
    makeRoom(this.#cached, CACHED_MAX).set(sha256, {
      caller,
      lookedUpAtMs,
      expiresAtMs: lookedUpAtMs + (expiresInMs ?? Number.POSITIVE_INFINITY),
    });
    return { kind: 'known', caller };
  }
}

/** SHA-256 of a token, in hex. */
export function sha256Of(token: string): string {
  return hash('sha256', token, 'hex');
}

/** Evicts the oldest entry when the map is full. */
function makeRoom<V>(map: Map<string, V>, sizeMax: number): Map<string, V> {
  if (map.size >= sizeMax) {
    const oldest = map.keys().next();
    if (!oldest.done) map.delete(oldest.value);
  }
  return map;
}
