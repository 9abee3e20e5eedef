import { Type } from '@sinclair/typebox';
import { type PublicKey, readPublicKey } from './keys';
import { parseAs, type Read } from './parse';
import type { ValidationError } from './refusal-codes';

/** The keys whose signatures are accepted. Nothing in it is secret. */
export interface Trust {
  /** Roots that certify vendor keys; two during a key rotation. */
  readonly roots: readonly PublicKey[];
  /** Kids of lost or stolen vendor keys. They are rejected although their certificates are valid. */
  readonly withdrawnKeys: readonly string[];
  /** Ed25519 public keys of Keygen accounts, in hex, whose license files are imported. */
  readonly keygenPublicKeys: readonly string[];
}

const TrustSchema = Type.Object(
  {
    roots: Type.Array(Type.Unknown(), { minItems: 1, expected: 'a list of at least one root key' }),
    withdrawnKeys: Type.Optional(
      Type.Array(Type.String({ expected: 'the kid of a key' }), { expected: 'a list of kids' }),
    ),
    keygenPublicKeys: Type.Optional(
      Type.Array(Type.RegExp(/^[0-9a-f]{64}$/i, { expected: 'an Ed25519 public key in hex (64 digits)' }), {
        expected: 'a list of public keys in hex',
      }),
    ),
  },
  { additionalProperties: false, expected: 'a JSON object with roots' },
);

/** Combines several trust files into one. */
export function mergeTrust(parts: readonly Trust[]): Trust {
  return {
    roots: parts.flatMap(({ roots }) => roots),
    withdrawnKeys: parts.flatMap(({ withdrawnKeys }) => withdrawnKeys),
    keygenPublicKeys: parts.flatMap(({ keygenPublicKeys }) => keygenPublicKeys),
  };
}

/** Parses a trust file, or returns every validation error. */
export async function readTrust(value: unknown): Promise<Read<Trust>> {
  const read = parseAs(TrustSchema, value);
  if (read.kind === 'invalid') return read;
  const { roots: given, withdrawnKeys = [], keygenPublicKeys = [] } = read.value;
  const roots: PublicKey[] = [];
  const errors: ValidationError[] = [];
  for (const [index, root] of given.entries()) {
    const key = await readPublicKey(root, 'root');
    if (key.kind === 'read') roots.push(key.value);
    else errors.push(...key.errors.map(({ path, message }) => ({ path: at(`roots.${index}`, path), message })));
  }
  if (errors.length > 0) return { kind: 'invalid', errors };
  const hex = keygenPublicKeys.map((key) => key.toLowerCase());
  return { kind: 'read', value: { roots, withdrawnKeys, keygenPublicKeys: hex } };
}

function at(place: string, path: string): string {
  return path === '' ? place : `${place}.${path}`;
}
