import type { ClientClock } from '../time/clock';
import type { Answer } from '../transport/call';
import { type LeaseProof, type ProofVerdict, type PublicKey, publicKeysOf, Verifier } from './lease-proof';

export interface KeyRingOptions {
  /** Given with the application: then no others are ever trusted. */
  readonly pinned: readonly PublicKey[] | undefined;
  /** Kept from an earlier life. */
  readonly kept: readonly PublicKey[];
  /** Asks the service for its keys. Never rejects. */
  readonly askKeys: () => Promise<Answer>;
  readonly clock: ClientClock;
  readonly onChange: () => void;
}

/** What a lease has to be for its token to prove it. */
export interface Expected {
  readonly leaseId: string;
  readonly product: string;
  readonly feature: string;
  readonly seats: number;
}

export type TokenVerdict =
  | { readonly kind: 'proven'; readonly proof: LeaseProof }
  /** No keys could be had: nothing speaks against it, and nothing for it. */
  | { readonly kind: 'unchecked' }
  | { readonly kind: 'refused'; readonly detail: string };

/** A token of an unknown key makes the keys be asked for, but not more often than this. */
const TRIED_EVERY_MS_MIN = 1_000;
/** However well all tokens verify: a key that was withdrawn is to be forgotten. */
const REFRESHED_EVERY_MS = 3_600_000;

/**
 * The keys with which lease tokens are verified, without asking anybody: kept across restarts, refreshed while the
 * service can be reached, and asked for at once when a token names a key that is new.
 */
export class KeyRing {
  readonly #options: KeyRingOptions;
  #verifier: Verifier;
  #askedAtMs = Number.NEGATIVE_INFINITY;
  #triedAtMs = Number.NEGATIVE_INFINITY;
  #asking: Promise<void> | undefined;

  constructor(options: KeyRingOptions) {
    this.#options = options;
    this.#verifier = new Verifier(options.pinned ?? options.kept);
  }

  get keys(): readonly PublicKey[] {
    return this.#verifier.keys;
  }

  /** Verifies with the keys that are here: for what was kept, when there may be no network. */
  verifyKept(token: string, expected: Expected): Promise<TokenVerdict> {
    return this.#verify(token, expected);
  }

  /** Verifies what a server has just answered. */
  async verify(token: string, expected: Expected): Promise<TokenVerdict> {
    const { clock, pinned } = this.#options;
    if (pinned === undefined && clock.nowMs() - this.#askedAtMs > REFRESHED_EVERY_MS) {
      // Only whoever has no keys at all waits for them.
      const asked = this.#ask();
      if (this.keys.length === 0) await asked;
      else asked.catch(() => undefined);
    }
    const verdict = await this.#verify(token, expected);
    if (verdict.kind !== 'unchecked' || pinned !== undefined) return asRefusal(verdict, pinned !== undefined);
    if (clock.nowMs() - this.#triedAtMs >= TRIED_EVERY_MS_MIN) await this.#ask();
    return asRefusal(await this.#verify(token, expected), this.keys.length > 0);
  }

  async #verify(token: string, expected: Expected): Promise<TokenVerdict> {
    const verdict: ProofVerdict = await this.#verifier.verify(token);
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
    const answer = await this.#options.askKeys();
    this.#triedAtMs = this.#options.clock.nowMs();
    if (answer.kind !== 'response' || answer.status !== 200) return;
    const keys = publicKeysOf(answer.body);
    if (keys.length === 0) return;
    this.#askedAtMs = this.#options.clock.nowMs();
    if (JSON.stringify(keys) === JSON.stringify(this.keys)) return;
    this.#verifier = new Verifier(keys);
    this.#options.onChange();
  }
}

/** Where the keys are known, a token of another key is no token of this service. */
function asRefusal(verdict: TokenVerdict, keysAreKnown: boolean): TokenVerdict {
  if (verdict.kind !== 'unchecked' || !keysAreKnown) return verdict;
  return { kind: 'refused', detail: 'it was signed by a key that the service does not publish' };
}

function contradiction(proof: LeaseProof, expected: Expected): TokenVerdict | undefined {
  const names = ['leaseId', 'product', 'feature', 'seats'] as const;
  const wrong = names.find((name) => proof[name] !== expected[name]);
  return wrong === undefined ? undefined : { kind: 'refused', detail: `it is for another ${wrong}` };
}
