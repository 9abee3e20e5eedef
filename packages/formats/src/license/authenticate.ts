import { armor, type Block, dearmor } from './armor';
import { type Certificate, trustedCertificate } from './certificate';
import { readCompact } from './compact';
import { type LicenseDocument, readDocument } from './document';
import { type DecryptionKeys, encryptedFor, openEnvelope } from './envelope';
import { authenticateKeygen } from './keygen/authenticate';
import { describeErrors, type FileRefusal, refused } from './refusal-codes';
import { TYPES, verifiedJson } from './signing';
import type { Trust } from './trust';

export interface AuthenticityContext extends DecryptionKeys {
  readonly trust: Trust;
}

/** A license file with a valid signature. Validity in time and servers is checked separately. */
export interface Authentic {
  readonly kind: 'authentic';
  readonly document: LicenseDocument;
  /**
   * The file to store: the signed content without its envelope (whose key may be lost one day), and with no secret in the
   * clear.
   */
  readonly file: string;
  readonly signer: Signer;
  /** Parts of a Keygen file that have no counterpart in Evergrant; empty for other files. */
  readonly dropped: readonly string[];
}

export type Signer =
  | { readonly kind: 'vendor'; readonly certificate: Certificate }
  | { readonly kind: 'keygen'; readonly publicKey: string };

/** Parses a file, opens its envelope, and verifies its signature up to a trusted root. Never throws. */
export async function authenticate(text: string, context: AuthenticityContext): Promise<Authentic | FileRefusal> {
  const file = dearmor(text);
  if (file.kind === 'unreadable') return unreadable(file.reason);
  const [first, ...others] = file.blocks as [Block, ...Block[]];
  if (first.label === 'LICENSE FILE') return authenticateKeygen({ file: first.body, others, context });
  if (first.label !== 'EVERGRANT LICENSE') {
    return unreadable(`it contains ${first.label === 'EVERGRANT CERTIFICATE' ? 'a certificate' : 'no license'}`);
  }
  if (others.length > 0) return unreadable('it contains more than one license; import one license at a time');
  const signed = await opened(first.body, context);
  return signed.kind === 'refused' ? signed : authenticateSigned(signed.content, context);
}

async function opened(body: string, context: AuthenticityContext) {
  const compact = readCompact(body);
  if (compact.kind === 'unreadable') return unreadable(compact.reason);
  if (compact.kind === 'jws') return { kind: 'opened', content: body } as const;
  const recipient = encryptedFor(compact.header);
  return recipient ? openEnvelope(body, recipient, context) : unreadable('its encryption is not supported');
}

async function authenticateSigned(jws: string, context: AuthenticityContext): Promise<Authentic | FileRefusal> {
  const compact = readCompact(jws);
  if (compact.kind !== 'jws') return unreadable('its content is not signed');
  const { certificate, deployment } = compact.header;
  if (typeof certificate !== 'string') return unreadable('it contains no certificate of its signing key');
  const trusted = await trustedCertificate(certificate, context.trust);
  if (trusted.kind === 'refused') return trusted;
  const verified = await verifiedJson(jws, { key: trusted.certificate.key, typ: TYPES.license });
  if (!verified) {
    return refused(
      'license_tampered',
      'it was changed after the vendor signed it; use the original file from the vendor',
    );
  }
  const document = readDocument(verified.json);
  if (document.kind === 'invalid') {
    const what = describeErrors(document.errors);
    return refused('license_unreadable', `the signed content is not a license document: ${what}`, document.errors);
  }
  return (
    deploymentRefusal(deployment, context) ?? {
      kind: 'authentic',
      document: document.value,
      file: armor('EVERGRANT LICENSE', jws),
      signer: { kind: 'vendor', certificate: trusted.certificate },
      dropped: [],
    }
  );
}

function deploymentRefusal(deployment: unknown, { deploymentKeys = [] }: AuthenticityContext): FileRefusal | undefined {
  if (deployment === undefined || deploymentKeys.some(({ kid }) => kid === deployment)) return undefined;
  return refused(
    'license_not_for_this_deployment',
    `it was issued for the deployment key ${String(deployment)}, which is not a key of this deployment`,
  );
}

function unreadable(reason: string): FileRefusal {
  return refused('license_unreadable', `the license file cannot be read: ${reason}`);
}
