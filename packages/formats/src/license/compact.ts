import { decodeProtectedHeader } from 'jose';

export type Compact =
  | { readonly kind: 'jws' | 'jwe'; readonly header: Readonly<Record<string, unknown>> }
  | { readonly kind: 'unreadable'; readonly reason: string };

/**
 * Parses the compact serialization of a JWS (three parts) or JWE (five parts). Each part must be canonical base64url.
 * Otherwise unused bits in the last character would let two texts encode the same bytes, and a change go unnoticed.
 */
export function readCompact(text: string): Compact {
  const parts = text.split('.');
  if (parts.length !== 3 && parts.length !== 5) return { kind: 'unreadable', reason: 'it is neither a JWS nor a JWE' };
  if (!parts.every((part) => Buffer.from(part, 'base64url').toString('base64url') === part)) {
    return { kind: 'unreadable', reason: 'it is not canonical base64url' };
  }
  try {
    const header = decodeProtectedHeader(text) as Record<string, unknown>;
    return { kind: parts.length === 3 ? 'jws' : 'jwe', header };
  } catch {
    return { kind: 'unreadable', reason: 'its header is not JSON' };
  }
}

/** Returns the JSON payload of a JWS without verifying the signature; undefined when it is not JSON. */
export function unverifiedPayload(jws: string): unknown {
  return parseJson(Buffer.from(jws.split('.')[1] ?? '', 'base64url'));
}

export function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    return undefined;
  }
}
