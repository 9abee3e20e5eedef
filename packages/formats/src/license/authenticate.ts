import { armor, type Block, dearmor } from './armor';
import { type Certificate, trustedCertificate } from './certificate';
import { readCompact } from './compact';
import { type LicenseDocument, readDocument } from './document';
import { type DecryptionKeys, encryptedFor, openEnvelope } from './envelope';
import { authenticateKeygen } from './keygen/authenticate';
import { describeErrors, type Refusal, refused } from './refusal-codes';
import { TYPES, verifiedJson } from './signing';
import type { Trust } from './trust';

export interface AuthenticityContext extends DecryptionKeys {
  readonly trust: Trust;
}

/** A license file whose signature holds. Whether it may be used here and now is another question. */
export interface Authentic {
  readonly kind: 'authentic';
  readonly document: LicenseDocument;
  /**
   * The file as it is kept: signed as it came, out of its envelope (whose key may be gone one day), and with nothing
   * secret in the clear.
   */
  readonly file: string;
  readonly signer: Signer;
  /** What the file said that has no counterpart here; of Keygen's files only. */
  readonly dropped: readonly string[];
}

export type Signer =
  | { readonly kind: 'vendor'; readonly certificate: Certificate }
  | { readonly kind: 'keygen'; readonly publicKey: string };

/** Reads a file, opens its envelope, and follows its signature to a trusted root. Never throws. */
export async function authenticate(text: string, context: AuthenticityContext): Promise<Authentic | Refusal> {
  const file = dearmor(text);
  if (file.kind === 'unreadable') return unreadable(file.reason);
  const [first, ...others] = file.blocks as [Block, ...Block[]];
  if (first.label === 'LICENSE FILE') return authenticateKeygen({ file: first.body, others, context });
  if (first.label !== 'EVERGRANT LICENSE') {
    return unreadable(`it holds ${first.label === 'EVERGRANT CERTIFICATE' ? 'a certificate' : 'no license'}`);
  }
  if (others.length > 0) return unreadable('something follows the license; import one license at a time');
  const signed = await opened(first.body, context);
  return signed.kind === 'refused' ? signed : authenticateSigned(signed.content, context);
}

async function opened(body: string, context: AuthenticityContext) {
  const compact = readCompact(body);
  if (compact.kind === 'unreadable') return unreadable(compact.reason);
  if (compact.kind === 'jws') return { kind: 'opened', content: body } as const;
  const whom = encryptedFor(compact.header);
  return whom ? openEnvelope(body, whom, context) : unreadable('it is encrypted in a way that is not known here');
}

async function authenticateSigned(jws: string, context: AuthenticityContext): Promise<Authentic | Refusal> {
  const compact = readCompact(jws);
  if (compact.kind !== 'jws') return unreadable('what it holds is not signed');
  const { certificate, deployment } = compact.header;
  if (typeof certificate !== 'string') return unreadable('it carries no certificate of its signing key');
  const trusted = await trustedCertificate(certificate, context.trust);
  if (trusted.kind === 'refused') return trusted;
  const verified = await verifiedJson(jws, { key: trusted.certificate.key, typ: TYPES.license });
  if (!verified) {
    return refused(
      'license_tampered',
      'it was changed after the vendor had signed it; use the file as the vendor sent it',
    );
  }
  const document = readDocument(verified.json);
  if (document.kind === 'invalid') {
    const what = describeErrors(document.errors);
    return refused('license_unreadable', `what was signed is not a license document: ${what}`, document.errors);
  }
  return (
    boundElsewhere(deployment, context) ?? {
      kind: 'authentic',
      document: document.value,
      file: armor('EVERGRANT LICENSE', jws),
      signer: { kind: 'vendor', certificate: trusted.certificate },
      dropped: [],
    }
  );
}

function boundElsewhere(deployment: unknown, { deploymentKeys = [] }: AuthenticityContext): Refusal | undefined {
  if (deployment === undefined || deploymentKeys.some(({ kid }) => kid === deployment)) return undefined;
  return refused(
    'license_not_for_this_deployment',
    `it was issued for the deployment with the key ${String(deployment)}, which is not among the keys here`,
  );
}

function unreadable(reason: string): Refusal {
  return refused('license_unreadable', `the license file cannot be read: ${reason}`);
}
