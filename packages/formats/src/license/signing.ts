import { CompactSign, compactVerify, importJWK } from 'jose';
import { parseJson } from './compact';
import type { PrivateKey, PublicKey } from './keys';

const ALGORITHM = 'EdDSA';

export const TYPES = {
  license: 'evergrant-license+jws',
  certificate: 'evergrant-certificate+jws',
} as const;
export type SignedType = (typeof TYPES)[keyof typeof TYPES];

/** Signs JSON as a compact JWS. The header `typ` prevents that one type of document is accepted as another. */
export async function signJson(
  payload: object,
  { key, typ, header = {} }: { key: PrivateKey; typ: SignedType; header?: Readonly<Record<string, string>> },
): Promise<string> {
  return new CompactSign(Buffer.from(JSON.stringify(payload)))
    .setProtectedHeader({ alg: ALGORITHM, kid: key.kid, typ, ...header })
    .sign(await importJWK(key, ALGORITHM));
}

/** Returns the JSON that `key` signed, or undefined when the signature is invalid. */
export async function verifiedJson(
  jws: string,
  { key, typ }: { key: PublicKey; typ: SignedType },
): Promise<{ readonly json: unknown } | undefined> {
  try {
    const verified = await compactVerify(jws, await importJWK(key, ALGORITHM), { algorithms: [ALGORITHM] });
    if (verified.protectedHeader.typ !== typ) return undefined;
    return { json: parseJson(verified.payload) };
  } catch {
    return undefined;
  }
}
