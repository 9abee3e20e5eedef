import { type Block, dearmor } from './armor';
import { type Certificate, readCertificate } from './certificate';
import { readCompact, unverifiedPayload } from './compact';
import { type LicenseDocument, readDocument } from './document';
import { type DecryptionKeys, type EncryptedFor, encryptedFor, openEnvelope } from './envelope';
import { contentOf, isEncrypted, readContainer } from './keygen/container';
import { mapKeygenLicense } from './keygen/mapping';
import { KeygenDocument } from './keygen/resources';
import type { Read } from './parse';
import { parseAs } from './parse';
import { type Refusal, refused } from './refusal-codes';

/** What a license file says of itself. None of it has been verified. */
export interface LicenseInspection {
  readonly kind: 'says';
  readonly format: 'evergrant' | 'keygen';
  readonly encryptedFor: EncryptedFor | undefined;
  /** Undefined where the file cannot be opened, and for Keygen's, which names no key. */
  readonly certificate: Certificate | undefined;
  /** The key of the deployment that it is bound to. */
  readonly deployment: string | undefined;
  /** Undefined where the file cannot be opened. */
  readonly document: Read<LicenseDocument> | undefined;
  /** Why there is no document. */
  readonly closed: string | undefined;
  readonly dropped: readonly string[];
}

const NOTHING = {
  kind: 'says',
  encryptedFor: undefined,
  certificate: undefined,
  deployment: undefined,
  document: undefined,
  closed: undefined,
  dropped: [],
} as const;

/** Reads without trust in anybody. Never throws. */
export async function inspectLicense(text: string, opener: DecryptionKeys = {}): Promise<LicenseInspection | Refusal> {
  const file = dearmor(text);
  if (file.kind === 'unreadable') return unreadable(file.reason);
  const [first] = file.blocks as [Block];
  if (first.label === 'LICENSE FILE') return inspectKeygen(first.body, opener);
  if (first.label !== 'EVERGRANT LICENSE') return unreadable('it holds no license');
  return inspectOurs(first.body, opener);
}

async function inspectOurs(body: string, opener: DecryptionKeys): Promise<LicenseInspection | Refusal> {
  const compact = readCompact(body);
  if (compact.kind === 'unreadable') return unreadable(compact.reason);
  if (compact.kind === 'jws') return inspectSigned(body, undefined);
  const whom = encryptedFor(compact.header);
  if (!whom) return unreadable('it is encrypted in a way that is not known here');
  const opened = await openEnvelope(body, whom, opener);
  if (opened.kind === 'opened') return inspectSigned(opened.content, whom);
  return { ...NOTHING, format: 'evergrant', encryptedFor: whom, closed: opened.detail };
}

async function inspectSigned(jws: string, whom: EncryptedFor | undefined): Promise<LicenseInspection | Refusal> {
  const compact = readCompact(jws);
  if (compact.kind !== 'jws') return unreadable('what it holds is not signed');
  const { certificate, deployment } = compact.header;
  const said = typeof certificate === 'string' ? await readCertificate(certificate) : undefined;
  return {
    ...NOTHING,
    format: 'evergrant',
    encryptedFor: whom,
    certificate: said === undefined || 'kind' in said ? undefined : said,
    deployment: typeof deployment === 'string' ? deployment : undefined,
    document: readDocument(unverifiedPayload(jws)),
  };
}

function inspectKeygen(body: string, { licenseKey }: DecryptionKeys): LicenseInspection | Refusal {
  const read = readContainer(body);
  if (read.kind === 'refused') return read;
  const whom = isEncrypted(read.container) ? ({ kind: 'license_key' } as const) : undefined;
  const content = contentOf(read.container, licenseKey);
  if (!content) {
    const closed =
      licenseKey === undefined ? 'its license key is needed' : 'the license key that was given does not open it';
    return { ...NOTHING, format: 'keygen', encryptedFor: whom, closed };
  }
  const source = parseAs(KeygenDocument, content.json);
  const mapped = source.kind === 'read' ? mapKeygenLicense(source.value) : { document: source, dropped: [] };
  return { ...NOTHING, format: 'keygen', encryptedFor: whom, ...mapped };
}

function unreadable(reason: string): Refusal {
  return refused('license_unreadable', `the license file cannot be read: ${reason}`);
}
