import { type CryptoKey, compactVerify, importJWK, type JWK } from 'jose';
import type { GracePeriodPolicy } from '../core/grace-period';
import { policyOf } from '../transport/verdict';

/** Claims of a verified lease token. Times are server times. */
export interface LeaseProof {
  readonly leaseId: string;
  readonly licenseId: string | undefined;
  readonly product: string;
  readonly feature: string;
  readonly seats: number;
  readonly holder: string;
  readonly issuedAtMs: number;
  readonly expiresAtMs: number;
  readonly policy: GracePeriodPolicy | undefined;
  readonly borrowed: boolean;
  /** The installation that holds the lease. */
  readonly identity: string | undefined;
  /** The nonce of the request that the token answers. */
  readonly nonce: string | undefined;
}

type Unproven =
  /** Signed by an unknown key. */
  { readonly kind: 'unknown_key' } | { readonly kind: 'refused'; readonly detail: string };

export type TokenVerification = { readonly kind: 'proven'; readonly proof: LeaseProof } | Unproven;

export type ClaimsVerification = { readonly kind: 'signed'; readonly claims: unknown } | Unproven;

/** A public Ed25519 key as a JSON Web Key with its `kid`. */
export interface LeasePublicKey {
  readonly kid: string;
  readonly kty: string;
  readonly crv: string;
  readonly x: string;
}

const ALGORITHM = 'EdDSA';
const TOKEN_TYPE = 'evergrant-lease+jwt';
const KEYS_MAX = 64;

/** Reads the usable public keys of a value. Other members, for example a private part, are dropped. */
export function publicKeysOf(value: unknown): readonly LeasePublicKey[] {
  const { keys } = (value ?? {}) as { keys?: unknown };
  if (!Array.isArray(keys)) return [];
  return keys.slice(0, KEYS_MAX).flatMap((key: unknown) => {
    const { kid, kty, crv, x } = (key ?? {}) as Record<string, unknown>;
    const usable = [kid, x].every((part) => typeof part === 'string' && part !== '');
    return usable && kty === 'OKP' && crv === 'Ed25519' ? [{ kid, kty, crv, x } as LeasePublicKey] : [];
  });
}

/** Verifies tokens with a set of trusted keys. */
export class TokenVerifier {
  readonly keys: readonly LeasePublicKey[];
  readonly #imported = new Map<string, Promise<CryptoKey | Uint8Array>>();

  constructor(keys: readonly LeasePublicKey[]) {
    this.keys = keys;
  }

  /** Never rejects. */
  async verify(token: string): Promise<TokenVerification> {
    const read = await this.claimsOf(token, TOKEN_TYPE);
    if (read.kind !== 'signed') return read;
    const proof = proofOf(read.claims);
    return proof ? { kind: 'proven', proof } : { kind: 'refused', detail: 'the token lacks claims of a lease token' };
  }

  /** Returns the claims of a compact JWS of this `typ` that one of the keys signed. Never rejects. */
  async claimsOf(jws: string, type: string): Promise<ClaimsVerification> {
    const kid = kidOf(jws);
    const key = this.keys.find((candidate) => candidate.kid === kid);
    if (kid !== undefined && !key) return { kind: 'unknown_key' };
    if (!key) return { kind: 'refused', detail: 'not a token' };
    try {
      const { payload, protectedHeader } = await compactVerify(jws, await this.#keyOf(key), {
        algorithms: [ALGORITHM],
      });
      if (protectedHeader.typ !== type) return { kind: 'refused', detail: 'the token has another type' };
      return { kind: 'signed', claims: JSON.parse(Buffer.from(payload).toString('utf8')) };
    } catch {
      return { kind: 'refused', detail: `the token is not signed by the key ${kid}` };
    }
  }

  #keyOf(key: LeasePublicKey): Promise<CryptoKey | Uint8Array> {
    const imported = this.#imported.get(key.kid) ?? importJWK(key as unknown as JWK, ALGORITHM);
    this.#imported.set(key.kid, imported);
    return imported;
  }
}

function kidOf(token: string): string | undefined {
  try {
    const header = JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString('utf8')) as {
      kid?: unknown;
    };
    return typeof header.kid === 'string' ? header.kid : undefined;
  } catch {
    return undefined;
  }
}

const textOf = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);

function proofOf(value: unknown): LeaseProof | undefined {
  const claims = (value ?? {}) as Record<string, unknown>;
  const pool = (claims.pool ?? {}) as Record<string, unknown>;
  const { jti, sub, seats, iat, exp } = claims;
  const texts = [jti, sub, pool.product, pool.feature].every((text) => typeof text === 'string');
  const numbers = [seats, iat, exp].every((number) => Number.isSafeInteger(number));
  if (!texts || !numbers) return undefined;
  return {
    leaseId: jti as string,
    licenseId: typeof pool.license === 'string' ? pool.license : undefined,
    product: pool.product as string,
    feature: pool.feature as string,
    seats: seats as number,
    holder: sub as string,
    issuedAtMs: (iat as number) * 1_000,
    expiresAtMs: (exp as number) * 1_000,
    policy: policyOf(claims.policy),
    borrowed: claims.borrowed === true,
    identity: textOf(claims.identity),
    nonce: textOf(claims.nonce),
  };
}
