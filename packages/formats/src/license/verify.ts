import { type Authentic, type AuthenticityContext, authenticate, type Signer } from './authenticate';
import type { LicenseDocument } from './document';
import { type FileRefusal, refused } from './refusal-codes';

export interface VerificationContext extends AuthenticityContext {
  readonly nowMs: number;
  /** The server's name as region/name. Without it, the servers of a redundant license are not checked. */
  readonly server?: string | undefined;
}

export interface ValidLicense extends Omit<Authentic, 'kind'> {
  readonly kind: 'valid';
}

/** Verifies that a license file is authentic and valid here and now. Never throws. */
export async function verifyLicense(text: string, context: VerificationContext): Promise<ValidLicense | FileRefusal> {
  const authentic = await authenticate(text, context);
  if (authentic.kind === 'refused') return authentic;
  const { document, signer } = authentic;
  return (
    certificateRefusal(signer, context.nowMs) ??
    validityRefusal(document, context.nowMs) ??
    serverRefusal(document, context.server) ?? { ...authentic, kind: 'valid' }
  );
}

/** A certificate must be valid when its file is imported. A license in force outlives its certificate. */
function certificateRefusal(signer: Signer, nowMs: number): FileRefusal | undefined {
  if (signer.kind !== 'vendor') return undefined;
  const { key, validFrom, validUntil } = signer.certificate;
  if (nowMs >= Date.parse(validFrom) && nowMs < Date.parse(validUntil)) return undefined;
  return refused(
    'license_key_expired',
    `its signing key ${key.kid} is certified from ${validFrom} to ${validUntil}; ask the vendor for a file signed with a currently valid key`,
  );
}

function validityRefusal({ validFrom, validUntil }: LicenseDocument, nowMs: number): FileRefusal | undefined {
  if (nowMs < Date.parse(validFrom)) {
    return refused(
      'license_not_yet_valid',
      `it is valid from ${validFrom}; import it then. An issue that is in force stays in force until then`,
    );
  }
  if (nowMs >= Date.parse(validUntil)) {
    return refused('license_expired', `it was valid until ${validUntil}; ask the vendor for its next issue`);
  }
  return undefined;
}

function serverRefusal({ servers }: LicenseDocument, server: string | undefined): FileRefusal | undefined {
  if (!servers || server === undefined || servers.includes(server)) return undefined;
  return refused('license_wrong_server', `it is dedicated to ${servers.join(', ')}; this server is ${server}`);
}
