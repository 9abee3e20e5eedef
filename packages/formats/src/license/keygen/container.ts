/**
 * Keygen's cryptographic license files (https://keygen.sh/docs/api/cryptography/#cryptographic-lic): base64 of JSON
 * `{enc, sig, alg}` between PEM-like lines. The signature is over `"license/" + enc`; an encrypted `enc` is
 * `ciphertext.iv.tag`, its AES key the SHA-256 of the license key. No JOSE library knows this container; the primitives
 * are Node's.
 */
import { createDecipheriv, createHash, createPublicKey, verify } from 'node:crypto';
import { type Static, Type } from '@sinclair/typebox';
import { parseJson } from '../compact';
import { parseAs } from '../parse';
import { type FileRefusal, refused } from '../refusal-codes';

const Container = Type.Object({
  enc: Type.String({ expected: 'text' }),
  sig: Type.String({ expected: 'text' }),
  alg: Type.String({ expected: 'text' }),
});
export type Container = Static<typeof Container>;

const PLAIN = 'base64+ed25519';
const ENCRYPTED = 'aes-256-gcm+ed25519';
const IV_BYTES = 12;
const TAG_BYTES = 16;

export function readContainer(body: string): { readonly kind: 'read'; readonly container: Container } | FileRefusal {
  const bytes = canonical(body);
  const container = parseAs(Container, bytes && parseJson(bytes));
  if (container.kind === 'invalid') return unreadable('it is not base64 of JSON with enc, sig and alg');
  const { enc, sig, alg } = container.value;
  if (alg !== PLAIN && alg !== ENCRYPTED)
    return unreadable(`its algorithm is "${alg}"; ${PLAIN} and ${ENCRYPTED} are supported`);
  if (![sig, ...enc.split('.')].every((part) => canonical(part))) return unreadable('its parts are not base64');
  return { kind: 'read', container: container.value };
}

export function isEncrypted({ alg }: Container): boolean {
  return alg === ENCRYPTED;
}

/** Returns the public key (hex) that signed the container. */
export function signerOf({ enc, sig }: Container, publicKeys: readonly string[]): string | undefined {
  return publicKeys.find((hex) => {
    const jwk = { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(hex, 'hex').toString('base64url') };
    const key = createPublicKey({ key: jwk, format: 'jwk' });
    return verify(null, Buffer.from(`license/${enc}`), key, Buffer.from(sig, 'base64'));
  });
}

/** Returns the signed JSON; undefined when the license key does not decrypt it. */
export function contentOf(
  container: Container,
  licenseKey: string | undefined,
): { readonly json: unknown } | undefined {
  const { enc } = container;
  if (!isEncrypted(container)) return { json: parseJson(Buffer.from(enc, 'base64')) };
  const plaintext = licenseKey === undefined ? undefined : decrypted(enc, licenseKey);
  return plaintext && { json: parseJson(plaintext) };
}

function decrypted(enc: string, licenseKey: string): Buffer | undefined {
  const [ciphertext, iv, tag] = enc.split('.').map((part) => Buffer.from(part, 'base64'));
  if (!ciphertext || iv?.length !== IV_BYTES || tag?.length !== TAG_BYTES) return undefined;
  const key = createHash('sha256').update(licenseKey).digest();
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, iv, { authTagLength: TAG_BYTES }).setAuthTag(tag);
    return Buffer.concat([decipher.update(ciphertext), decipher.final()]);
  } catch {
    return undefined;
  }
}

/** Decodes canonical base64 only, so that two texts never encode the same bytes. */
function canonical(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64');
  return text !== '' && bytes.toString('base64') === text ? bytes : undefined;
}

function unreadable(reason: string): FileRefusal {
  return refused('license_unreadable', `the Keygen license file cannot be read: ${reason}`);
}
