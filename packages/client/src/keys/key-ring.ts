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
  /** Keys from the application. With them, no other key is trusted. */
  readonly pinned: readonly LeasePublicKey[] | undefined;
  /** Keys from the state file. */
  readonly stored: readonly LeasePublicKey[];
  /** Requests the keys of the service. Never rejects. */
  readonly fetchKeys: () => Promise<TransportResult>;
  readonly clock: ClientClock;
  readonly onChange: () => void;
  /** A server proved its answer. `issuedAtMs` is the server's time of the decision, to the second. */
  readonly onProven: (proof: Pick<LeaseProof, 'issuedAtMs'>) => void;
}

/** Claims that the token of a lease must have. */
export interface ExpectedLease {
  readonly leaseId: string;
  readonly product: string;
  readonly feature: string;
  readonly seats: number;
  /** The nonce of the request. Undefined for a stored token, which answers no request. */
  readonly nonce?: string | undefined;
  /** The identity of this installation, when the server answered with another lease than the requested one. */
  readonly identity?: string | undefined;
}

export type LeaseTokenVerdict =
  | { readonly kind: 'proven'; readonly proof: LeaseProof }
  /** No keys are available, so the token is neither proven nor refused. */
  | { readonly kind: 'unchecked' }
  | { readonly kind: 'refused'; readonly detail: string };

/** The verdict on the token of an answer. */
export type AnswerVerdict = Exclude<LeaseTokenVerdict, { readonly kind: 'unchecked' }>;

/** A token with an unknown key triggers a refresh, but not more often than this. */
const REFRESH_ATTEMPT_EVERY_MS_MIN = 1_000;
/** Keys are refreshed at this interval, so that a withdrawn key is removed. */
const REFRESH_EVERY_MS = 3_600_000;

/**
 * Keys that verify lease tokens locally. They are stored across restarts, refreshed while the service is reachable, and
 * refreshed immediately when a token names an unknown key.
 */
export class KeyRing {
  readonly #options: KeyRingOptions;
  #verifier: TokenVerifier;
  #refreshedAtMs = Number.NEGATIVE_INFINITY;
  #attemptedAtMs = Number.NEGATIVE_INFINITY;
  #refreshing: Promise<void> | undefined;

  constructor(options: KeyRingOptions) {
    this.#options = options;
    this.#verifier = new TokenVerifier(options.pinned ?? options.stored);
  }

  get keys(): readonly LeasePublicKey[] {
    return this.#verifier.keys;
  }

  /** Verifies a stored token with the present keys, without the network. */
  verifyStored(token: string, expected: ExpectedLease): Promise<LeaseTokenVerdict> {
    return this.#verify(token, expected);
  }

  /** Verifies the token of a server's response. Without a key that proves it, the response is refused. */
  async verify(token: string, expected: ExpectedLease): Promise<AnswerVerdict> {
    const verdict = await this.#verifyWithRefresh(token, expected);
    if (verdict.kind !== 'proven') return verdict;
    const { proof } = verdict;
    if (expected.nonce === undefined || proof.nonce !== expected.nonce) {
      return { kind: 'refused', detail: 'the token does not answer this request: it lacks the nonce of the request' };
    }
    if (expected.identity !== undefined && proof.identity !== expected.identity) {
      return { kind: 'refused', detail: 'the token is for a lease of another installation' };
    }
    // Both count whole seconds, so they are equal for a lease of less than a second.
    if (proof.expiresAtMs < proof.issuedAtMs) return { kind: 'refused', detail: 'the token was never good' };
    this.#options.onProven(proof);
    return verdict;
  }

  async #verifyWithRefresh(token: string, expected: ExpectedLease): Promise<AnswerVerdict> {
    const { clock, pinned } = this.#options;
    if (pinned === undefined && clock.nowMs() - this.#refreshedAtMs > REFRESH_EVERY_MS) {
      // Verification waits for the refresh only when there are no keys at all.
      const asked = this.#refresh();
      if (this.keys.length === 0) await asked;
      else asked.catch(() => undefined);
    }
    const verdict = await this.#verify(token, expected);
    if (verdict.kind !== 'unchecked' || pinned !== undefined) return asRefusal(verdict, true);
    if (clock.nowMs() - this.#attemptedAtMs >= REFRESH_ATTEMPT_EVERY_MS_MIN) await this.#refresh();
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

  #refresh(): Promise<void> {
    this.#refreshing ??= this.#fetchOnce().finally(() => {
      this.#refreshing = undefined;
    });
    return this.#refreshing;
  }

  async #fetchOnce(): Promise<void> {
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

/** With known keys, a token of another key is not a token of this service. */
function asRefusal(verdict: LeaseTokenVerdict, keysAreKnown: boolean): AnswerVerdict {
  if (verdict.kind !== 'unchecked') return verdict;
  const detail = keysAreKnown
    ? 'the token is signed by a key that the service does not publish'
    : 'the keys of the service could not be read, so the token cannot be verified';
  return { kind: 'refused', detail };
}

function contradiction(proof: LeaseProof, expected: ExpectedLease): LeaseTokenVerdict | undefined {
  const names = ['leaseId', 'product', 'feature', 'seats'] as const;
  const wrong = names.find((name) => proof[name] !== expected[name]);
  return wrong === undefined ? undefined : { kind: 'refused', detail: `the token is for another ${wrong}` };
}
