import { type Block, unarmour } from './armor';
import { type Certificate, certificateSays } from './certificate';
import { readCompact, unverifiedPayload } from './compact';
import { type LicenseDocument, readDocument } from './document';
import { type EncryptedFor, encryptedFor, type Opener, openEnvelope } from './envelope';
import { contentOf, isEncrypted, readContainer } from './keygen/container';
import { mapKeygenLicense } from './keygen/mapping';
import { KeygenDocument } from './keygen/resources';
import type { Read } from './parse';
import { readAs } from './parse';
import { type Refusal, refused } from './refusal-codes';

/** What a license file says of itself. None of it has been verified. */
export interface Inspection {
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
export async function inspectLicense(text: string, opener: Opener = {}): Promise<Inspection | Refusal> {
  const file = unarmour(text);
  if (file.kind === 'unreadable') return unreadable(file.because);
  const [first] = file.blocks as [Block];
  if (first.label === 'LICENSE FILE') return inspectKeygen(first.body, opener);
  if (first.label !== 'EVERGRANT LICENSE') return unreadable('it holds no license');
  return inspectOurs(first.body, opener);
}

async function inspectOurs(body: string, opener: Opener): Promise<Inspection | Refusal> {
  const compact = readCompact(body);
  if (compact.kind === 'unreadable') return unreadable(compact.because);
  if (compact.kind === 'jws') return inspectSigned(body, undefined);
  const whom = encryptedFor(compact.header);
  if (!whom) return unreadable('it is encrypted in a way that is not known here');
  const opened = await openEnvelope(body, whom, opener);
  if (opened.kind === 'opened') return inspectSigned(opened.content, whom);
  return { ...NOTHING, format: 'evergrant', encryptedFor: whom, closed: opened.detail };
}

async function inspectSigned(jws: string, whom: EncryptedFor | undefined): Promise<Inspection | Refusal> {
  const compact = readCompact(jws);
  if (compact.kind !== 'jws') return unreadable('what it holds is not signed');
  const { certificate, deployment } = compact.header;
  const said = typeof certificate === 'string' ? await certificateSays(certificate) : undefined;
  return {
    ...NOTHING,
    format: 'evergrant',
    encryptedFor: whom,
    certificate: said === undefined || 'kind' in said ? undefined : said,
    deployment: typeof deployment === 'string' ? deployment : undefined,
    document: readDocument(unverifiedPayload(jws)),
  };
}

function inspectKeygen(body: string, { licenseKey }: Opener): Inspection | Refusal {
  const read = readContainer(body);
  if (read.kind === 'refused') return read;
  const whom = isEncrypted(read.container) ? ({ kind: 'license_key' } as const) : undefined;
  const content = contentOf(read.container, licenseKey);
  if (!content) {
    const closed =
      licenseKey === undefined ? 'its license key is needed' : 'the license key that was given does not open it';
    return { ...NOTHING, format: 'keygen', encryptedFor: whom, closed };
  }
  const source = readAs(KeygenDocument, content.json);
  const mapped = source.kind === 'read' ? mapKeygenLicense(source.value) : { document: source, dropped: [] };
  return { ...NOTHING, format: 'keygen', encryptedFor: whom, ...mapped };
}

function unreadable(because: string): Refusal {
  return refused('license_unreadable', `the license file cannot be read: ${because}`);
}
