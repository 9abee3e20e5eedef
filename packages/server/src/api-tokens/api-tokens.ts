import { hash } from 'node:crypto';
import type { Logger } from 'pino';
import type { Caller } from '../auth/core/caller';
import { Batcher } from '../platform/batcher';
import type { MonotonicClock } from '../platform/clock';
import { DatabaseFailure } from '../platform/database-failure';
import type { ApiTokenStore, FoundToken } from './store';

/** How long a look into the database is believed, and when it is looked again while the old answer still serves. */
const REFRESHED_AFTER_MS = 2_000;
/** A revocation, here or on another server, is effective no later than this, and one look, after its commit. */
const BELIEVED_FOR_MS = 4_000;
const STRANGER_FOR_MS = 1_000;
const REMEMBERED_MAX = 50_000;
const STRANGERS_MAX = 10_000;

export type TokenVerdict =
  | { readonly kind: 'known'; readonly caller: Caller }
  | { readonly kind: 'unknown' }
  /** The database did not say. */
  | { readonly kind: 'unchecked' }
  | { readonly kind: 'overloaded' };

interface Remembered {
  readonly caller: Caller;
  readonly lookedAtMs: number;
  /** By the token's own expiry, counted from the look. */
  readonly expiresAtMs: number;
}

type Look =
  | { readonly kind: 'looked'; readonly found: FoundToken | undefined; readonly lookedAtMs: number }
  | { readonly kind: 'unchecked' }
  | { readonly kind: 'overloaded' };

export interface ApiTokensOptions {
  readonly store: ApiTokenStore;
  readonly clock: MonotonicClock;
  readonly log: Logger;
  /** False while the database is known not to answer: nobody waits for a look that cannot succeed. */
  readonly databaseAnswers: () => boolean;
}

/**
 * Who a bearer token belongs to. Each token is looked up when it is used and believed for a short time, so that one
 * registered through another server works at once and a revoked one stops everywhere within seconds, however many
 * there are. Looks that are needed together are one query. While the database is away, what was known goes on telling
 * who asks: nothing can be decided then anyway.
 */
export class ApiTokens {
  readonly #options: ApiTokensOptions;
  readonly #remembered = new Map<string, Remembered>();
  readonly #strangersUntilMs = new Map<string, number>();
  readonly #looking = new Map<string, Promise<TokenVerdict>>();
  readonly #looks: Batcher<string, Look>;

  constructor(options: ApiTokensOptions) {
    this.#options = options;
    this.#looks = new Batcher<string, Look>({
      sizeMax: 1_000,
      waitingMax: 5_000,
      overloaded: { kind: 'overloaded' },
      run: async (hashes) => {
        // Read before the question leaves: however long the answer takes, what it says is no younger than this.
        const lookedAtMs = options.clock.nowMs();
        try {
          const found = await options.store.find([...new Set(hashes)]);
          return {
            kind: 'each',
            answers: hashes.map((hash) => ({ kind: 'looked', found: found.get(hash), lookedAtMs })),
          };
        } catch (error) {
          if (!(error instanceof DatabaseFailure)) throw error;
          options.log.debug({ failure: error.message }, 'API tokens could not be looked up');
          return { kind: 'all', answer: { kind: 'unchecked' } };
        }
      },
    });
  }

  check(token: string): Promise<TokenVerdict> {
    return this.checkSha256(sha256Of(token));
  }

  /**
   * The same for who keeps only the hash, in hex, of a token that was shown before: a session asks again and again.
   * Looked up by hash, so the time that a comparison takes says nothing about a token.
   */
  async checkSha256(sha256: string): Promise<TokenVerdict> {
    const { clock, databaseAnswers } = this.#options;
    const nowMs = clock.nowMs();
    const remembered = this.#remembered.get(sha256);
    const believed = remembered && nowMs < remembered.expiresAtMs ? remembered : undefined;
    if (believed) {
      const ageMs = nowMs - believed.lookedAtMs;
      if (ageMs < REFRESHED_AFTER_MS || !databaseAnswers()) return { kind: 'known', caller: believed.caller };
      const refreshed = this.#look(sha256);
      if (ageMs >= BELIEVED_FOR_MS) return refreshed;
      // Whoever needs the answer to it meets its failure too.
      refreshed.catch(() => undefined);
      return { kind: 'known', caller: believed.caller };
    }
    if ((this.#strangersUntilMs.get(sha256) ?? 0) > nowMs) return { kind: 'unknown' };
    return databaseAnswers() ? this.#look(sha256) : { kind: 'unchecked' };
  }

  /** Whether a token was known lately: no look is needed to tell a caller from a stranger. */
  remembers(sha256: string): boolean {
    return this.#remembered.has(sha256);
  }

  /** What was changed through this very server is effective here at once: for one token, or for any. */
  forget(sha256?: string): void {
    if (sha256 === undefined) {
      this.#remembered.clear();
      this.#strangersUntilMs.clear();
    } else {
      this.#remembered.delete(sha256);
      this.#strangersUntilMs.delete(sha256);
    }
  }

  /** One look at a time for each token, however many requests carry it. */
  #look(sha256: string): Promise<TokenVerdict> {
    const looking = this.#looking.get(sha256) ?? this.#lookUp(sha256).finally(() => this.#looking.delete(sha256));
    this.#looking.set(sha256, looking);
    return looking;
  }

  async #lookUp(sha256: string): Promise<TokenVerdict> {
    const look = await this.#looks.add(sha256);
    if (look.kind !== 'looked') return look;
    const { found, lookedAtMs } = look;
    this.#remembered.delete(sha256);
    if (!found) {
      keepBounded(this.#strangersUntilMs, STRANGERS_MAX).set(sha256, lookedAtMs + STRANGER_FOR_MS);
      return { kind: 'unknown' };
    }
    const { caller, expiresInMs } = found;
    // Deleted above and set again: the map stays in the order of the looks, and the oldest goes first.
    keepBounded(this.#remembered, REMEMBERED_MAX).set(sha256, {
      caller,
      lookedAtMs,
      expiresAtMs: lookedAtMs + (expiresInMs ?? Number.POSITIVE_INFINITY),
    });
    return { kind: 'known', caller };
  }
}

export function sha256Of(token: string): string {
  return hash('sha256', token, 'hex');
}

/** Makes room for one more by dropping the oldest. */
function keepBounded<V>(map: Map<string, V>, sizeMax: number): Map<string, V> {
  if (map.size >= sizeMax) {
    const oldest = map.keys().next();
    if (!oldest.done) map.delete(oldest.value);
  }
  return map;
}
