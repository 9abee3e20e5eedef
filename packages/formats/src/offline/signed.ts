import { type Static, type TSchema, Type } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import { compactVerify, createLocalJWKSet, type JSONWebKeySet } from 'jose';
import { armor } from '../license/armor';
import { readCompact } from '../license/compact';
import { bodyOf, sha256, type Unreadable, unreadable } from './unsigned';

export const RESPONSE_TYPE = 'evergrant-offline-response+jwt';
export const RECEIPT_TYPE = 'evergrant-offline-receipt+jwt';
const LEASE_TYPE = 'evergrant-lease+jwt';
const ISSUER = 'evergrant';

/** A license server's response to an offline request. `leases` holds ordinary lease tokens. */
const ResponseClaims = Type.Object({
  iss: Type.Literal(ISSUER),
  room: Type.String(),
  nonce: Type.String(),
  license: Type.String(),
  /** SHA-256 of the request. */
  request: Type.String(),
  leases: Type.Array(Type.String()),
  iat: Type.Integer(),
  /** When the first of the leases expires. */
  exp: Type.Integer(),
});
export type OfflineResponse = Static<typeof ResponseClaims>;

/** Confirms that the seats of a response are returned. */
const ReceiptClaims = Type.Object({
  iss: Type.Literal(ISSUER),
  room: Type.String(),
  nonce: Type.String(),
  license: Type.String(),
  /** The ids of the leases. */
  leases: Type.Array(Type.String()),
});
export type OfflineReceipt = Static<typeof ReceiptClaims>;

const LeaseClaims = Type.Object({
  jti: Type.String(),
  room: Type.String(),
  pool: Type.Object({ license: Type.String(), product: Type.String(), feature: Type.String() }),
  seats: Type.Integer({ minimum: 1 }),
  exp: Type.Integer(),
});

export interface OfflineLease {
  readonly leaseId: string;
  readonly licenseId: string;
  readonly product: string;
  readonly feature: string;
  readonly seats: number;
  readonly expiresAtMs: number;
  readonly token: string;
}

export type ResponseVerdict =
  | {
      readonly kind: 'valid';
      readonly response: OfflineResponse;
      readonly leases: readonly OfflineLease[];
      /** The hash that a return of this response names. */
      readonly sha256: string;
    }
  | Unreadable
  | { readonly kind: 'refused'; readonly code: ResponseRefusal; readonly reason: string };

export type ResponseRefusal = 'untrusted' | 'of_another_control_room' | 'of_another_request' | 'expired';

/** @param jws the signed response or receipt */
export function writeOfflineResponse(jws: string): string {
  return armor('EVERGRANT OFFLINE RESPONSE', jws);
}

/** @param jws the signed response or receipt */
export function writeOfflineReceipt(jws: string): string {
  return armor('EVERGRANT OFFLINE RECEIPT', jws);
}

export interface ResponseContext {
  /** The license servers' public keys, pinned while a network was available. */
  readonly keys: JSONWebKeySet;
  readonly controlRoom: string;
  /** The nonce of the request, if it is known. */
  readonly nonce?: string | undefined;
  readonly nowMs: number;
}

/** Verifies a response offline: its signature, its Control Room and every lease in it. Never throws. */
export async function verifyOfflineResponse(text: string, context: ResponseContext): Promise<ResponseVerdict> {
  const body = bodyOf(text, 'EVERGRANT OFFLINE RESPONSE');
  if (body.kind === 'unreadable') return body;
  const response = await verified(body.body, { type: RESPONSE_TYPE, schema: ResponseClaims, keys: context.keys });
  if (!response) return refusal('untrusted', 'no trusted license server signed it, or it was changed');
  if (response.room !== context.controlRoom) {
    return refusal('of_another_control_room', `it is for the Control Room ${response.room}`);
  }
  if (context.nonce !== undefined && response.nonce !== context.nonce) {
    return refusal('of_another_request', 'it answers a different request');
  }
  const leases: OfflineLease[] = [];
  for (const token of response.leases) {
    const lease = await verified(token, { type: LEASE_TYPE, schema: LeaseClaims, keys: context.keys });
    if (lease?.room !== context.controlRoom)
      return refusal('untrusted', 'a lease in it is not signed, or belongs to another Control Room');
    const { jti: leaseId, pool, seats, exp } = lease;
    const { license: licenseId, product, feature } = pool;
    leases.push({ leaseId, licenseId, product, feature, seats, expiresAtMs: exp * 1_000, token });
  }
  if (leases.every(({ expiresAtMs }) => expiresAtMs <= context.nowMs)) {
    return refusal('expired', `it expired at ${new Date(response.exp * 1_000).toISOString()}; make a new request`);
  }
  return { kind: 'valid', response, leases, sha256: sha256(body.body) };
}

export type ReceiptVerdict =
  | { readonly kind: 'valid'; readonly receipt: OfflineReceipt }
  | Unreadable
  | { readonly kind: 'refused'; readonly code: 'untrusted'; readonly reason: string };

export async function verifyOfflineReceipt(text: string, keys: JSONWebKeySet): Promise<ReceiptVerdict> {
  const body = bodyOf(text, 'EVERGRANT OFFLINE RECEIPT');
  if (body.kind === 'unreadable') return unreadable(body.reason);
  const receipt = await verified(body.body, { type: RECEIPT_TYPE, schema: ReceiptClaims, keys });
  if (receipt) return { kind: 'valid', receipt };
  return {
    kind: 'refused',
    code: 'untrusted',
    reason: 'no trusted license server signed it, or it was changed',
  };
}

async function verified<T extends TSchema>(
  jws: string,
  { type, schema, keys }: { type: string; schema: T; keys: JSONWebKeySet },
): Promise<Static<T> | undefined> {
  if (readCompact(jws).kind !== 'jws') return undefined;
  try {
    const { payload, protectedHeader } = await compactVerify(jws, createLocalJWKSet(keys), { algorithms: ['EdDSA'] });
    const claims: unknown = JSON.parse(Buffer.from(payload).toString('utf8'));
    return protectedHeader.typ === type && Value.Check(schema, claims) ? claims : undefined;
  } catch {
    return undefined;
  }
}

function refusal(code: ResponseRefusal, reason: string): ResponseVerdict {
  return { kind: 'refused', code, reason };
}
