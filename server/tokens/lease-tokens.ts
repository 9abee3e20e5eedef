import { createPrivateKey, type KeyObject, sign } from 'node:crypto';
import { type Static, Type } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import { type CryptoKey, compactVerify, importJWK, type JWK } from 'jose';
import type { Lease, LeaseClaim } from '../core/lease';
import type { LeaseTokens, SignedPool } from '../ports';

const ALGORITHM = 'EdDSA';
const TOKEN_TYPE = 'evergrant-lease+jwt';
const ISSUER = 'evergrant';

const Claims = Type.Object({
  iss: Type.Literal(ISSUER),
  jti: Type.String(),
  sub: Type.String(),
  pool: Type.Object({ license: Type.Optional(Type.String()), product: Type.String(), feature: Type.String() }),
  room: Type.Optional(Type.String()),
  identity: Type.Optional(Type.String()),
  /** For the holder; no server reads it back. */
  policy: Type.Optional(Type.Object({ graceSeconds: Type.Integer(), suspendAfterSeconds: Type.Integer() })),
  seats: Type.Integer({ minimum: 1 }),
  seq: Type.Integer(),
  epoch: Type.Integer({ minimum: 1 }),
  iat: Type.Integer(),
  exp: Type.Integer(),
});

/** An Ed25519 private key as a JSON Web Key with its `kid`. */
export interface SigningKey extends JWK {
  readonly kid: string;
}

/**
 * Lease tokens: compact JWS, EdDSA over Ed25519, the key named by `kid`. The first key signs; all verify, so that a
 * key can be retired while tokens of it are still held.
 */
export async function createLeaseTokens(keys: readonly SigningKey[]): Promise<LeaseTokens> {
  const [active] = keys;
  if (!active) throw new TypeError('there is no signing key');
  const signer = compactSigner(active);
  const published = keys.map(publicPart);
  const verifying = new Map<string, CryptoKey | Uint8Array>();
  for (const key of published) verifying.set(key.kid, await importJWK(key, ALGORITHM));

  return {
    jwks: { keys: published },
    sign: (lease, pool, issuedAtMs) => signer(JSON.stringify(claimsOf(lease, pool, issuedAtMs))),
    verify: async (token) => {
      try {
        const { payload } = await compactVerify(
          token,
          ({ kid = '' }) => {
            const key = verifying.get(kid);
            if (!key) throw new Error(`no key ${kid}`);
            return key;
          },
          { algorithms: [ALGORITHM] },
        );
        const claims: unknown = JSON.parse(Buffer.from(payload).toString('utf8'));
        return Value.Check(Claims, claims) ? claimOf(claims) : undefined;
      } catch {
        return undefined;
      }
    },
  };
}

/**
 * Signs with the platform's own call, off the main thread: every grant and every renewal is signed, and the way through
 * WebCrypto costs the main thread as much as the signature itself (decision 0028). The header never changes.
 */
function compactSigner(key: SigningKey): (payload: string) => Promise<string> {
  const privateKey: KeyObject = createPrivateKey({ key: { ...key }, format: 'jwk' });
  const header = base64url(JSON.stringify({ alg: ALGORITHM, kid: key.kid, typ: TOKEN_TYPE }));
  return (payload) => {
    const signed = `${header}.${base64url(payload)}`;
    return new Promise((resolve, reject) => {
      sign(null, Buffer.from(signed, 'latin1'), privateKey, (error, signature) => {
        if (error) reject(error);
        else resolve(`${signed}.${signature.toString('base64url')}`);
      });
    });
  };
}

function base64url(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64url');
}

function publicPart({ kty, crv, x, kid }: SigningKey): SigningKey {
  if (kty !== 'OKP' || crv !== 'Ed25519' || x === undefined)
    throw new TypeError(`signing key ${kid} is not an Ed25519 key`);
  return { kty, crv, x, kid, alg: ALGORITHM, use: 'sig' };
}

/** Whole seconds, as JWTs have them; the expiry is rounded down, so that no token outlives its lease. */
function claimsOf(
  lease: Lease,
  { licenseId, product, feature, policy }: SignedPool,
  issuedAtMs: number,
): Static<typeof Claims> {
  return {
    iss: ISSUER,
    jti: lease.id,
    sub: lease.holder,
    pool: { license: licenseId, product, feature },
    policy: { graceSeconds: policy.graceSeconds, suspendAfterSeconds: policy.suspendAfterSeconds },
    ...(lease.controlRoom === undefined ? {} : { room: lease.controlRoom }),
    ...(lease.identity === undefined ? {} : { identity: lease.identity }),
    seats: lease.seats,
    seq: lease.seq,
    epoch: lease.epoch,
    iat: Math.floor(issuedAtMs / 1000),
    exp: Math.floor(lease.expiresAtMs / 1000),
  };
}

function claimOf(claims: Static<typeof Claims>): LeaseClaim {
  return {
    leaseId: claims.jti,
    licenseId: claims.pool.license,
    product: claims.pool.product,
    feature: claims.pool.feature,
    holder: claims.sub,
    controlRoom: claims.room,
    identity: claims.identity,
    seats: claims.seats,
    seq: claims.seq,
    epoch: claims.epoch,
    expiresAtMs: claims.exp * 1000,
  };
}
