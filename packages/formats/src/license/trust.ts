import { Type } from '@sinclair/typebox';
import { type PublicKey, readPublicKey } from './keys';
import { type Read, readAs } from './parse';
import type { Mistake } from './refusal-codes';

/** Whose signature counts. Nothing of it is secret. */
export interface Trust {
  /** Roots that certify vendor keys; two while one follows the other. */
  readonly roots: readonly PublicKey[];
  /** Vendor keys that are not to be believed any more, whatever their certificate says: lost or stolen ones. */
  readonly withdrawnKeys: readonly string[];
  /** Ed25519 public keys of Keygen accounts, in hex, whose license files are imported. */
  readonly keygenPublicKeys: readonly string[];
}

const TrustSchema = Type.Object(
  {
    roots: Type.Array(Type.Unknown(), { minItems: 1, says: 'a list of at least one root key' }),
    withdrawnKeys: Type.Optional(Type.Array(Type.String({ says: 'the kid of a key' }), { says: 'a list of kids' })),
    keygenPublicKeys: Type.Optional(
      Type.Array(Type.RegExp(/^[0-9a-f]{64}$/i, { says: 'an Ed25519 public key in hex (64 digits)' }), {
        says: 'a list of public keys in hex',
      }),
    ),
  },
  { additionalProperties: false, says: 'a JSON object with roots' },
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
  const read = readAs(TrustSchema, value);
  if (read.kind === 'mistaken') return read;
  const { roots: given, withdrawnKeys = [], keygenPublicKeys = [] } = read.value;
  const roots: PublicKey[] = [];
  const mistakes: Mistake[] = [];
  for (const [index, root] of given.entries()) {
    const key = await readPublicKey(root, 'root');
    if (key.kind === 'read') roots.push(key.value);
    else mistakes.push(...key.mistakes.map(({ path, message }) => ({ path: at(`roots.${index}`, path), message })));
  }
  if (mistakes.length > 0) return { kind: 'mistaken', mistakes };
  const hex = keygenPublicKeys.map((key) => key.toLowerCase());
  return { kind: 'read', value: { roots, withdrawnKeys, keygenPublicKeys: hex } };
}

function at(place: string, path: string): string {
  return path === '' ? place : `${place}.${path}`;
}
