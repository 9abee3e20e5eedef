import { Type } from '@sinclair/typebox';
import { type PublicKey, readPublicKey } from './keys';
import { parseAs, type Read } from './parse';
import type { ValidationError } from './refusal-codes';

/** Whose signature counts. Nothing of it is secret. */
export interface Trust {
  /** Roots that certify vendor keys; two while one follows the other. */
  readonly roots: readonly PublicKey[];
  /** Vendor keys that are not to be believed any more, whatever their certificate expected: lost or stolen ones. */
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

/** All of it together: a world's own root, and whatever else it is told to trust. */
export function mergeTrust(parts: readonly Trust[]): Trust {
  return {
    roots: parts.flatMap(({ roots }) => roots),
    withdrawnKeys: parts.flatMap(({ withdrawnKeys }) => withdrawnKeys),
    keygenPublicKeys: parts.flatMap(({ keygenPublicKeys }) => keygenPublicKeys),
  };
}

/** Trust from outside, or every mistake in it. */
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
