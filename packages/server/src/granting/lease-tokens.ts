import { type Static, Type } from '@sinclair/typebox';
import { compactSigner, compactVerifier, publicJwkOf, type SigningKey } from '../platform/jws';
import type { PlaceClaim, QueuePlace } from '../queue/core/queue';
import { PLACE_TOKEN_TYPE, PlaceClaims, placeClaimOf, placeClaimsOf } from '../queue/queue-tokens';
import type { Lease, LeaseClaim } from './core/lease';
import type { LeasedPool } from './store';

/** The pool as a lease token describes it. */
export type SignedPool = Omit<LeasedPool, 'leaseTtlMs' | 'onDisconnect'>;

export interface TokenIssue {
  /** The database's clock at the decision. */
  readonly atMs: number;
  /** The nonce of the request that the token answers. */
  readonly nonce?: string | undefined;
}

export interface LeaseTokens {
  sign(lease: Lease, pool: SignedPool, issued: TokenIssue): Promise<string>;
  /** Signs a queue token. After the loss of a region it restores the place under its number. */
  signPlace(
    place: QueuePlace,
    pool: Omit<SignedPool, 'policy'>,
    issued: { readonly epoch: number; readonly atMs: number },
  ): Promise<string>;
  verifyPlace(token: string): Promise<PlaceClaim | undefined>;
  /** The claim of a token that one of this deployment's keys signed, of any age. Undefined for other tokens. */
  verify(token: string): Promise<LeaseClaim | undefined>;
  /** The public keys, as a JSON Web Key Set. */
  readonly jwks: { readonly keys: readonly object[] };
}

const TOKEN_TYPE = 'evergrant-lease+jwt';
const ISSUER = 'evergrant';

const Claims = Type.Object({
  iss: Type.Literal(ISSUER),
  jti: Type.String(),
  sub: Type.String(),
  pool: Type.Object({ license: Type.Optional(Type.String()), product: Type.String(), feature: Type.String() }),
  room: Type.Optional(Type.String()),
  identity: Type.Optional(Type.String()),
  borrowed: Type.Optional(Type.Boolean()),
  /** For the holder. No server reads it. */
  policy: Type.Optional(Type.Object({ graceSeconds: Type.Integer(), suspendAfterSeconds: Type.Integer() })),
  seats: Type.Integer({ minimum: 1 }),
  seq: Type.Integer(),
  epoch: Type.Integer({ minimum: 1 }),
  /** Omitted before the first handover. */
  handover: Type.Optional(Type.Integer({ minimum: 1 })),
  /** For the holder. No server reads it. */
  nonce: Type.Optional(Type.String()),
  iat: Type.Integer(),
  exp: Type.Integer(),
});

/**
 * Lease tokens and queue tokens: compact JWS, EdDSA over Ed25519, with the key named by `kid`. The first key signs. All
 * keys verify, so that a key can be retired while holders still have its tokens.
 */
export async function createLeaseTokens(keys: readonly SigningKey[]): Promise<LeaseTokens> {
  const [active] = keys;
  if (!active) throw new TypeError('no signing key is configured');
  const published = keys.map(publicJwkOf);
  const signLease = compactSigner(active, TOKEN_TYPE);
  const signPlace = compactSigner(active, PLACE_TOKEN_TYPE);
  const verify = await compactVerifier(published);

  return {
    jwks: { keys: published },
    sign: (lease, pool, issued) => signLease(claimsOf(lease, pool, issued)),
    verify: async (token) => {
      const claims = await verify(token, TOKEN_TYPE, Claims);
      return claims && claimOf(claims);
    },
    signPlace: (place, pool, issued) => signPlace(placeClaimsOf(place, pool, issued)),
    verifyPlace: async (token) => {
      const claims = await verify(token, PLACE_TOKEN_TYPE, PlaceClaims);
      return claims && placeClaimOf(claims);
    },
  };
}

/** JWTs count whole seconds. The expiry is rounded down, so that no token outlives its lease. */
function claimsOf(
  lease: Lease,
  { licenseId, product, feature, policy }: SignedPool,
  { atMs, nonce }: TokenIssue,
): Static<typeof Claims> {
  return {
    iss: ISSUER,
    jti: lease.id,
    sub: lease.holder,
    pool: { license: licenseId, product, feature },
    policy: { graceSeconds: policy.graceSeconds, suspendAfterSeconds: policy.suspendAfterSeconds },
    ...(lease.controlRoom === undefined ? {} : { room: lease.controlRoom }),
    ...(lease.identity === undefined ? {} : { identity: lease.identity }),
    ...(lease.borrowed ? { borrowed: true } : {}),
    seats: lease.seats,
    seq: lease.seq,
    epoch: lease.epoch,
    ...(lease.handover ? { handover: lease.handover } : {}),
    ...(nonce === undefined ? {} : { nonce }),
    iat: Math.floor(atMs / 1000),
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
    borrowed: claims.borrowed ?? false,
    seats: claims.seats,
    seq: claims.seq,
    epoch: claims.epoch,
    expiresAtMs: claims.exp * 1000,
    ...(claims.handover === undefined ? {} : { handover: claims.handover }),
  };
}
