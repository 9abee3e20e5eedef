import { type Static, Type } from '@sinclair/typebox';
import { calculateJwkThumbprint, exportJWK, generateKeyPair } from 'jose';
import { parseAs, type Read } from './parse';

/**
 * - `root`: certifies vendor keys; kept offline.
 * - `vendor`: signs license files while its certificate is valid.
 * - `deployment`: decrypts license files that are encrypted to one deployment.
 */
export const KEY_ROLES = ['root', 'vendor', 'deployment'] as const;
export type KeyRole = (typeof KEY_ROLES)[number];

const Base64Url = Type.RegExp(/^[A-Za-z0-9_-]{43}$/, { expected: '32 bytes in base64url' });
const PUBLIC_MEMBERS = {
  kty: Type.Literal('OKP', { expected: 'OKP' }),
  crv: Type.Union([Type.Literal('Ed25519'), Type.Literal('X25519')], { expected: 'Ed25519 or X25519' }),
  x: Base64Url,
  /** The thumbprint of RFC 7638, so that two keys never share a name. */
  kid: Base64Url,
  role: Type.Union(
    KEY_ROLES.map((role) => Type.Literal(role)),
    { expected: KEY_ROLES.join(' or ') },
  ),
};
const KEY_OPTIONS = { additionalProperties: false, expected: 'a JSON Web Key made by evergrant license keygen' };

const PublicKeySchema = Type.Object(PUBLIC_MEMBERS, KEY_OPTIONS);
const PrivateKeySchema = Type.Object({ ...PUBLIC_MEMBERS, d: Base64Url }, KEY_OPTIONS);

type Role = { readonly role: KeyRole };
export type PublicKey = Readonly<Omit<Static<typeof PublicKeySchema>, 'role'>> & Role;
export type PrivateKey = Readonly<Omit<Static<typeof PrivateKeySchema>, 'role'>> & Role;

const CURVES: Readonly<Record<KeyRole, 'Ed25519' | 'X25519'>> = {
  root: 'Ed25519',
  vendor: 'Ed25519',
  deployment: 'X25519',
};

export async function generateKey(role: KeyRole): Promise<PrivateKey> {
  const crv = CURVES[role];
  const { privateKey } = await generateKeyPair(crv === 'Ed25519' ? 'EdDSA' : 'ECDH-ES', { crv, extractable: true });
  const { x = '', d = '' } = await exportJWK(privateKey);
  return { kty: 'OKP', crv, x, kid: await thumbprint({ crv, x }), role, d };
}

export function publicPart({ kty, crv, x, kid, role }: PublicKey): PublicKey {
  return { kty, crv, x, kid, role };
}

/** Parses a public key. A private key is rejected, because it must not be in that place. */
export async function readPublicKey(value: unknown, role: KeyRole): Promise<Read<PublicKey>> {
  if (isObject(value) && 'd' in value) return invalid(`must be a public key, but it is a private key`);
  const read = parseAs(PublicKeySchema, value);
  return read.kind === 'read' ? checked(read.value as PublicKey, role) : read;
}

export async function readPrivateKey(value: unknown, role: KeyRole): Promise<Read<PrivateKey>> {
  const read = parseAs(PrivateKeySchema, value);
  return read.kind === 'read' ? checked(read.value as PrivateKey, role) : read;
}

async function checked<K extends PublicKey>(key: K, role: KeyRole): Promise<Read<K>> {
  if (key.role !== role) return invalid(`must be a ${role} key, but it is a ${key.role} key`);
  if (key.crv !== CURVES[role]) return invalid(`must use the curve ${CURVES[role]}`);
  if (key.kid !== (await thumbprint(key))) return invalid('must have the thumbprint of the key as its kid');
  return { kind: 'read', value: key };
}

function thumbprint({ crv, x }: Pick<PublicKey, 'crv' | 'x'>): Promise<string> {
  return calculateJwkThumbprint({ kty: 'OKP', crv, x });
}

function invalid(message: string): { kind: 'invalid'; errors: { path: string; message: string }[] } {
  return { kind: 'invalid', errors: [{ path: '', message }] };
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
