import { type Static, Type } from '@sinclair/typebox';
import type { SignedPool } from '../granting/lease-tokens';
import type { PlaceClaim, QueuePlace } from './core/queue';

export const PLACE_TOKEN_TYPE = 'evergrant-place+jwt';
const ISSUER = 'evergrant';

/** The claims of a queue token. Its type distinguishes it from a lease token. */
export const PlaceClaims = Type.Object({
  iss: Type.Literal(ISSUER),
  jti: Type.String(),
  sub: Type.String(),
  pool: Type.Object({ license: Type.String(), product: Type.String(), feature: Type.String() }),
  room: Type.Optional(Type.String()),
  identity: Type.Optional(Type.String()),
  seats: Type.Integer({ minimum: 1 }),
  number: Type.Integer(),
  epoch: Type.Integer({ minimum: 1 }),
  iat: Type.Integer(),
  exp: Type.Integer(),
});

export function placeClaimsOf(
  place: QueuePlace,
  { licenseId, product, feature }: Omit<SignedPool, 'policy'>,
  { epoch, atMs }: { epoch: number; atMs: number },
): Static<typeof PlaceClaims> {
  return {
    iss: ISSUER,
    jti: place.leaseId,
    sub: place.holder,
    pool: { license: licenseId, product, feature },
    ...(place.controlRoom === undefined ? {} : { room: place.controlRoom }),
    ...(place.identity === undefined ? {} : { identity: place.identity }),
    seats: place.seats,
    number: place.number,
    epoch,
    iat: Math.floor(atMs / 1000),
    exp: Math.floor(place.expiresAtMs / 1000),
  };
}

export function placeClaimOf(claims: Static<typeof PlaceClaims>): PlaceClaim {
  return {
    leaseId: claims.jti,
    licenseId: claims.pool.license,
    product: claims.pool.product,
    feature: claims.pool.feature,
    holder: claims.sub,
    controlRoom: claims.room,
    identity: claims.identity,
    seats: claims.seats,
    number: claims.number,
    epoch: claims.epoch,
    expiresAtMs: claims.exp * 1000,
  };
}
