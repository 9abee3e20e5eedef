import { type Authentic, type AuthenticityContext, authenticate, type Signer } from './authenticate';
import type { LicenseDocument } from './document';
import { type Refusal, refused } from './refusal-codes';

export interface VerificationContext extends AuthenticityContext {
  readonly nowMs: number;
  /** The server's name as region/name; without it a license may be dedicated to any servers. */
  readonly server?: string | undefined;
}

export interface ValidLicense extends Omit<Authentic, 'kind'> {
  readonly kind: 'valid';
}

/** Is this file to be believed, here and now? Never throws. */
export async function verifyLicense(text: string, context: VerificationContext): Promise<ValidLicense | Refusal> {
  const authentic = await authenticate(text, context);
  if (authentic.kind === 'refused') return authentic;
  const { document, signer } = authentic;
  return (
    signedOutOfTime(signer, context.nowMs) ??
    outOfTime(document, context.nowMs) ??
    dedicatedElsewhere(document, context.server) ?? { ...authentic, kind: 'valid' }
  );
}

/** A certificate has to be valid when its file is imported. A license that is in force outlives it. */
function signedOutOfTime(signer: Signer, nowMs: number): Refusal | undefined {
  if (signer.kind !== 'vendor') return undefined;
  const { key, validFrom, validUntil } = signer.certificate;
  if (nowMs >= Date.parse(validFrom) && nowMs < Date.parse(validUntil)) return undefined;
  return refused(
    'license_key_expired',
    `its signing key ${key.kid} is certified from ${validFrom} to ${validUntil}; ask the vendor for a file signed with a key that is valid today`,
  );
}

function outOfTime({ validFrom, validUntil }: LicenseDocument, nowMs: number): Refusal | undefined {
  if (nowMs < Date.parse(validFrom)) {
    return refused(
      'license_not_yet_valid',
      `it is valid from ${validFrom}; import it then. An issue that is in force meanwhile stays in force`,
    );
  }
  if (nowMs >= Date.parse(validUntil)) {
    return refused('license_expired', `it was valid until ${validUntil}; ask the vendor for its next issue`);
  }
  return undefined;
}

function dedicatedElsewhere({ servers }: LicenseDocument, server: string | undefined): Refusal | undefined {
  if (!servers || server === undefined || servers.includes(server)) return undefined;
  return refused('license_wrong_server', `it is dedicated to ${servers.join(', ')}; this is ${server}`);
}
