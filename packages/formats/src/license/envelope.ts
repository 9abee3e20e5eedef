import { CompactEncrypt, compactDecrypt, importJWK } from 'jose';
import { type PrivateKey, type PublicKey, publicPart } from './keys';
import { normalizedLicenseKey } from './license-key';
import { type FileRefusal, refused } from './refusal-codes';

const TO_DEPLOYMENT = 'ECDH-ES';
const FROM_LICENSE_KEY = 'PBES2-HS512+A256KW';
const CONTENT = 'A256GCM';
/** OWASP's recommendation for PBKDF2 with SHA-512 (Password Storage Cheat Sheet); also the maximum that is accepted. */
const PBKDF2_ROUNDS = 210_000;
const TYPE = 'evergrant-envelope+jwe';

/** Resolves to a compact JWE that only the deployment can decrypt. */
export async function encryptToDeployment(content: string, deployment: PublicKey): Promise<string> {
  return new CompactEncrypt(Buffer.from(content))
    .setProtectedHeader({ alg: TO_DEPLOYMENT, enc: CONTENT, kid: deployment.kid, typ: TYPE })
    .encrypt(await importJWK(publicPart(deployment), TO_DEPLOYMENT));
}

/** Resolves to a compact JWE that any holder of the license key can decrypt. */
export function encryptWithLicenseKey(content: string, licenseKey: string): Promise<string> {
  return new CompactEncrypt(Buffer.from(content))
    .setProtectedHeader({ alg: FROM_LICENSE_KEY, enc: CONTENT, typ: TYPE })
    .setKeyManagementParameters({ p2c: PBKDF2_ROUNDS })
    .encrypt(Buffer.from(normalizedLicenseKey(licenseKey)));
}

export interface DecryptionKeys {
  readonly deploymentKeys?: readonly PrivateKey[] | undefined;
  readonly licenseKey?: string | undefined;
}

export type EnvelopeRecipient =
  | { readonly kind: 'deployment'; readonly kid: string }
  | { readonly kind: 'license_key' };

/** Returns the recipient of an envelope, from its header. */
export function encryptedFor(header: Readonly<Record<string, unknown>>): EnvelopeRecipient | undefined {
  if (header.typ !== TYPE || header.enc !== CONTENT) return undefined;
  if (header.alg === FROM_LICENSE_KEY) return { kind: 'license_key' };
  return header.alg === TO_DEPLOYMENT && typeof header.kid === 'string'
    ? { kind: 'deployment', kid: header.kid }
    : undefined;
}

export async function openEnvelope(
  jwe: string,
  recipient: EnvelopeRecipient,
  keys: DecryptionKeys,
): Promise<{ readonly kind: 'opened'; readonly content: string } | FileRefusal> {
  return recipient.kind === 'deployment' ? openAsDeployment(jwe, recipient.kid, keys) : openWithLicenseKey(jwe, keys);
}

async function openAsDeployment(jwe: string, kid: string, { deploymentKeys = [] }: DecryptionKeys) {
  const key = deploymentKeys.find((candidate) => candidate.kid === kid);
  if (!key) {
    const available = deploymentKeys.length > 0 ? deploymentKeys.map((each) => each.kid).join(', ') : 'none';
    return refused(
      'license_not_for_this_deployment',
      `it is encrypted to the deployment key ${kid}; keys of this deployment: ${available}. Ask the vendor for a file for this deployment`,
    );
  }
  const content = await decrypted(jwe, await importJWK(key, TO_DEPLOYMENT), TO_DEPLOYMENT);
  return content ?? refused('license_tampered', 'it was changed after it was encrypted to this deployment');
}

async function openWithLicenseKey(jwe: string, { licenseKey }: DecryptionKeys) {
  if (licenseKey === undefined) {
    return refused(
      'license_not_for_this_deployment',
      'it is encrypted with its license key, which was not given (npx evergrant license import --license-key FILE)',
    );
  }
  const content = await decrypted(jwe, Buffer.from(normalizedLicenseKey(licenseKey)), FROM_LICENSE_KEY);
  return (
    content ??
    refused('license_not_for_this_deployment', 'the given license key does not decrypt it, or it was changed')
  );
}

async function decrypted(jwe: string, key: Parameters<typeof compactDecrypt>[1], algorithm: string) {
  try {
    const { plaintext } = await compactDecrypt(jwe, key, {
      keyManagementAlgorithms: [algorithm],
      contentEncryptionAlgorithms: [CONTENT],
      maxPBES2Count: PBKDF2_ROUNDS,
    });
    return { kind: 'opened', content: Buffer.from(plaintext).toString('utf8') } as const;
  } catch {
    return undefined;
  }
}
