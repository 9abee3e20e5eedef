import type { ClientClock } from '../time/clock';
import type { TransportResult } from '../transport/call';
import {
  type LeaseProof,
  type LeasePublicKey,
  publicKeysOf,
  type TokenVerification,
  TokenVerifier,
} from './lease-proof';

export interface KeyRingOptions {
  /** Given with the application: then no others are ever trusted. */
  readonly pinned: readonly LeasePublicKey[] | undefined;
  /** Kept from an earlier life. */
  readonly stored: readonly LeasePublicKey[];
  /** Asks the service for its keys. Never rejects. */
  readonly fetchKeys: () => Promise<TransportResult>;
  readonly clock: ClientClock;
  readonly onChange: () => void;
}

/** What a lease has to be for its token to prove it. */
export interface ExpectedLease {
  readonly leaseId: string;
  readonly product: string;
  readonly feature: string;
  readonly seats: number;
}

export type LeaseTokenVerdict =
  | { readonly kind: 'proven'; readonly proof: LeaseProof }
  /** No keys could be had: nothing speaks against it, and nothing for it. */
  | { readonly kind: 'unchecked' }
  | { readonly kind: 'refused'; readonly detail: string };

/** A token of an unknown key makes the keys be asked for, but not more often than this. */
const REFRESH_ATTEMPT_EVERY_MS_MIN = 1_000;
/** However well all tokens verify: a key that was withdrawn is to be forgotten. */
const REFRESH_EVERY_MS = 3_600_000;

/**
 * The keys with which lease tokens are verified, without asking anybody: kept across restarts, refreshed while the
 * service can be reached, and asked for at once when a token names a key that is new.
 */
export class KeyRing {
  readonly #options: KeyRingOptions;
  #verifier: TokenVerifier;
  #refreshedAtMs = Number.NEGATIVE_INFINITY;
  #attemptedAtMs = Number.NEGATIVE_INFINITY;
  #asking: Promise<void> | undefined;

  constructor(options: KeyRingOptions) {
    this.#options = options;
    this.#verifier = new TokenVerifier(options.pinned ?? options.stored);
  }

  get keys(): readonly LeasePublicKey[] {
    return this.#verifier.keys;
  }

  /** Verifies with the keys that are here: for what was kept, when there may be no network. */
  verifyStored(token: string, expected: ExpectedLease): Promise<LeaseTokenVerdict> {
    return this.#verify(token, expected);
  }

  /** Verifies what a server has just answered. */
  async verify(token: string, expected: ExpectedLease): Promise<LeaseTokenVerdict> {
    const { clock, pinned } = this.#options;
    if (pinned === undefined && clock.nowMs() - this.#refreshedAtMs > REFRESH_EVERY_MS) {
      // Only whoever has no keys at all waits for them.
      const asked = this.#ask();
      if (this.keys.length === 0) await asked;
      else asked.catch(() => undefined);
    }
    const verdict = await this.#verify(token, expected);
    if (verdict.kind !== 'unchecked' || pinned !== undefined) return asRefusal(verdict, pinned !== undefined);
    if (clock.nowMs() - this.#attemptedAtMs >= REFRESH_ATTEMPT_EVERY_MS_MIN) await this.#ask();
    return asRefusal(await this.#verify(token, expected), this.keys.length > 0);
  }

  async #verify(token: string, expected: ExpectedLease): Promise<LeaseTokenVerdict> {
    const verdict: TokenVerification = await this.#verifier.verify(token);
    switch (verdict.kind) {
      case 'unknown_key':
        return { kind: 'unchecked' };
      case 'refused':
        return verdict;
      case 'proven':
        return contradiction(verdict.proof, expected) ?? verdict;
    }
  }

  #ask(): Promise<void> {
    this.#asking ??= this.#askOnce().finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  async #askOnce(): Promise<void> {
    const answer = await this.#options.fetchKeys();
    this.#attemptedAtMs = this.#options.clock.nowMs();
    if (answer.kind !== 'response' || answer.status !== 200) return;
    const keys = publicKeysOf(answer.body);
    if (keys.length === 0) return;
    this.#refreshedAtMs = this.#options.clock.nowMs();
    if (JSON.stringify(keys) === JSON.stringify(this.keys)) return;
    this.#verifier = new TokenVerifier(keys);
    this.#options.onChange();
  }
}

/** Where the keys are known, a token of another key is no token of this service. */
function asRefusal(verdict: LeaseTokenVerdict, keysAreKnown: boolean): LeaseTokenVerdict {
  if (verdict.kind !== 'unchecked' || !keysAreKnown) return verdict;
  return { kind: 'refused', detail: 'it was signed by a key that the service does not publish' };
}

function contradiction(proof: LeaseProof, expected: ExpectedLease): LeaseTokenVerdict | undefined {
  const names = ['leaseId', 'product', 'feature', 'seats'] as const;
  const wrong = names.find((name) => proof[name] !== expected[name]);
  return wrong === undefined ? undefined : { kind: 'refused', detail: `it is for another ${wrong}` };
}
