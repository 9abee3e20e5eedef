import { createPrivateKey, type KeyObject, sign } from 'node:crypto';
import type { Static, TSchema } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import { type CryptoKey, compactVerify, importJWK, type JWK } from 'jose';

const ALGORITHM = 'EdDSA';

/** An Ed25519 private key as a JSON Web Key with its `kid`. */
export interface SigningKey extends JWK {
  readonly kid: string;
}

/**
 * Returns a function that signs with Node's own call, off the main thread. Every grant and renewal is signed, and
 * WebCrypto would cost the main thread as much as the signature itself (decision 0028). The header never changes.
 */
export function compactSigner(key: SigningKey, type: string): (claims: object) => Promise<string> {
  const privateKey: KeyObject = createPrivateKey({ key: { ...key }, format: 'jwk' });
  const header = base64url(JSON.stringify({ alg: ALGORITHM, kid: key.kid, typ: type }));
  return (claims) => {
    const signed = `${header}.${base64url(JSON.stringify(claims))}`;
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

export type Verifier = <T extends TSchema>(token: string, type: string, claims: T) => Promise<Static<T> | undefined>;

/**
 * Returns a verifier of tokens that any of the keys signed. It ignores their age, and resolves to undefined for others.
 */
export async function compactVerifier(published: readonly SigningKey[]): Promise<Verifier> {
  const verifying = new Map<string, CryptoKey | Uint8Array>();
  for (const key of published) verifying.set(key.kid, await importJWK(key, ALGORITHM));
  return async (token, type, schema) => {
    try {
      const { payload } = await compactVerify(
        token,
        ({ kid = '', typ }) => {
          const key = verifying.get(kid);
          if (!key || typ !== type) throw new Error(`no key ${kid} for ${typ}`);
          return key;
        },
        { algorithms: [ALGORITHM] },
      );
      const claims: unknown = JSON.parse(Buffer.from(payload).toString('utf8'));
      return Value.Check(schema, claims) ? claims : undefined;
    } catch {
      return undefined;
    }
  };
}

export function publicJwkOf({ kty, crv, x, kid }: SigningKey): SigningKey {
  if (kty !== 'OKP' || crv !== 'Ed25519' || x === undefined)
    throw new TypeError(`signing key ${kid} is not an Ed25519 key`);
  return { kty, crv, x, kid, alg: ALGORITHM, use: 'sig' };
}
