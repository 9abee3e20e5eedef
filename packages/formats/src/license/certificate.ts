import { type Static, Type } from '@sinclair/typebox';
import { armor, dearmor } from './armor';
import { readCompact, unverifiedPayload } from './compact';
import { type PrivateKey, type PublicKey, publicPart, readPublicKey } from './keys';
import { parseAs } from './parse';
import { describeErrors, type FileRefusal, refused } from './refusal-codes';
import { signJson, TYPES, verifiedJson } from './signing';
import type { Trust } from './trust';

const Instant = Type.RegExp(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z$/, { expected: 'an instant in UTC' });
const Statement = Type.Object(
  { version: Type.Literal(1, { expected: '1' }), key: Type.Unknown(), validFrom: Instant, validUntil: Instant },
  { additionalProperties: false, expected: 'a certificate' },
);

/** A root's statement that a vendor key may sign license files for a period. */
export interface Certificate {
  readonly key: PublicKey;
  /** The kid of the root key. */
  readonly signedBy: string;
  readonly validFrom: string;
  readonly validUntil: string;
}

export interface Certification {
  readonly root: PrivateKey;
  readonly key: PublicKey;
  readonly validFrom: string;
  readonly validUntil: string;
}

/** Resolves to a compact JWS; `armor('EVERGRANT CERTIFICATE', …)` makes a file of it. */
export function certify({ root, key, validFrom, validUntil }: Certification): Promise<string> {
  const statement: Static<typeof Statement> = { version: 1, key: publicPart(key), validFrom, validUntil };
  return signJson(statement, { key: root, typ: TYPES.certificate });
}

export function certificateFile(certificate: string): string {
  return armor('EVERGRANT CERTIFICATE', certificate);
}

/** Returns the compact JWS in a certificate file. */
export function readCertificateFile(
  text: string,
): { readonly kind: 'read'; readonly certificate: string } | FileRefusal {
  const file = dearmor(text);
  if (file.kind === 'unreadable') return unreadable(file.reason);
  const [block] = file.blocks;
  if (block?.label !== 'EVERGRANT CERTIFICATE') return unreadable('it is not a certificate');
  return { kind: 'read', certificate: block.body };
}

/** Parses a certificate without verifying it. */
export async function readCertificate(certificate: string): Promise<Certificate | FileRefusal> {
  const compact = readCompact(certificate);
  if (compact.kind === 'unreadable') return unreadable(compact.reason);
  if (compact.kind === 'jwe') return unreadable('it is encrypted');
  return statementOf(unverifiedPayload(certificate), String(compact.header.kid));
}

/** Verifies that a trusted root signed a certificate. Its period of validity is checked separately. */
export async function trustedCertificate(
  certificate: string,
  { roots, withdrawnKeys }: Trust,
): Promise<{ readonly kind: 'trusted'; readonly certificate: Certificate } | FileRefusal> {
  const parsed = await readCertificate(certificate);
  if ('kind' in parsed) return parsed;
  const root = roots.find(({ kid }) => kid === parsed.signedBy);
  if (!root) {
    return refused(
      'license_unknown_key',
      `the signing key ${parsed.key.kid} is certified by the root ${parsed.signedBy}, which is not trusted here; ` +
        `trusted roots: ${roots.map(({ kid }) => kid).join(', ')}`,
    );
  }
  if ((await verifiedJson(certificate, { key: root, typ: TYPES.certificate })) === undefined) {
    return refused('license_tampered', 'the certificate of its signing key was changed after the root signed it');
  }
  if (withdrawnKeys.includes(parsed.key.kid)) {
    return refused(
      'license_unknown_key',
      `the signing key ${parsed.key.kid} is withdrawn; ask the vendor for a file signed with a newer key`,
    );
  }
  return { kind: 'trusted', certificate: parsed };
}

async function statementOf(payload: unknown, signedBy: string): Promise<Certificate | FileRefusal> {
  const statement = parseAs(Statement, payload);
  if (statement.kind === 'invalid') return unreadable(describeErrors(statement.errors));
  const { validFrom, validUntil } = statement.value;
  const key = await readPublicKey(statement.value.key, 'vendor');
  if (key.kind === 'invalid') return unreadable(`its key ${describeErrors(key.errors)}`);
  return { key: key.value, signedBy, validFrom, validUntil };
}

function unreadable(reason: string): FileRefusal {
  return refused('license_unreadable', `the certificate cannot be read: ${reason}`);
}
