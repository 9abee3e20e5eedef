import { armor } from './armor';
import { readCertificate } from './certificate';
import type { LicenseDocument } from './document';
import { encryptToDeployment, encryptWithLicenseKey } from './envelope';
import type { PrivateKey, PublicKey } from './keys';
import { type FileRefusal, refused } from './refusal-codes';
import { signJson, TYPES } from './signing';

export interface Issue {
  readonly document: LicenseDocument;
  readonly key: PrivateKey;
  /** The certificate of the key, a compact JWS. It is part of the file. */
  readonly certificate: string;
  readonly encryptTo?:
    | { readonly kind: 'deployment'; readonly key: PublicKey }
    | { readonly kind: 'license_key'; readonly licenseKey: string };
}

/**
 * Signs a document and optionally encrypts it. A file that is encrypted to a deployment is also bound to it in the signed
 * header, so its content is useless elsewhere without the envelope too.
 */
export async function issueLicense(
  issue: Issue,
): Promise<{ readonly kind: 'issued'; readonly file: string } | FileRefusal> {
  const { document, key, certificate, encryptTo } = issue;
  const parsed = await readCertificate(certificate);
  if ('kind' in parsed) return parsed;
  if (parsed.key.kid !== key.kid) {
    return refused('license_unknown_key', `the certificate is for the key ${parsed.key.kid}, not for ${key.kid}`);
  }
  const header = { certificate, ...(encryptTo?.kind === 'deployment' ? { deployment: encryptTo.key.kid } : {}) };
  const signed = await signJson(document, { key, typ: TYPES.license, header });
  return { kind: 'issued', file: armor('EVERGRANT LICENSE', await enveloped(signed, encryptTo)) };
}

function enveloped(signed: string, encryptTo: Issue['encryptTo']): Promise<string> | string {
  if (!encryptTo) return signed;
  return encryptTo.kind === 'deployment'
    ? encryptToDeployment(signed, encryptTo.key)
    : encryptWithLicenseKey(signed, encryptTo.licenseKey);
}
