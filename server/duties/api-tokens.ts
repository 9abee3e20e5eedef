import { createHash } from 'node:crypto';
import type { Logger } from 'pino';
import type { ApiToken, LicenseDatabase } from '../ports';
import { Loop } from './loop';

const REFRESH_EVERY_MS = 2_000;
const FIRST_LOAD_EVERY_MS = 250;

export type TokenVerdict =
  | { readonly kind: 'known'; readonly token: ApiToken }
  | { readonly kind: 'unknown' }
  /** Nothing could be read since this server started. */
  | { readonly kind: 'not_loaded' };

/** The API tokens in memory. What was read last stays valid while the database is away. */
export class ApiTokens {
  readonly #loop: Loop;
  #bySha256: ReadonlyMap<string, ApiToken> | undefined;

  constructor(database: LicenseDatabase, log: Logger) {
    this.#loop = new Loop(
      async () => {
        try {
          this.#bySha256 = await database.readApiTokens();
        } catch (error) {
          log.debug({ failure: error instanceof Error ? error.message : error }, 'the API tokens could not be read');
        }
      },
      () => (this.#bySha256 ? REFRESH_EVERY_MS : FIRST_LOAD_EVERY_MS),
    );
  }

  start(): Promise<void> {
    return this.#loop.start();
  }

  stop(): Promise<void> {
    return this.#loop.stop();
  }

  /** Looked up by hash, so the time a comparison takes says nothing about a token. */
  check(token: string): TokenVerdict {
    if (!this.#bySha256) return { kind: 'not_loaded' };
    const known = this.#bySha256.get(createHash('sha256').update(token).digest('hex'));
    return known ? { kind: 'known', token: known } : { kind: 'unknown' };
  }
}
