import { type Block, dearmor } from './armor';
import { type Certificate, readCertificate } from './certificate';
import { readCompact, unverifiedPayload } from './compact';
import { type LicenseDocument, readDocument } from './document';
import { type DecryptionKeys, type EnvelopeRecipient, encryptedFor, openEnvelope } from './envelope';
import { contentOf, isEncrypted, readContainer } from './keygen/container';
import { mapKeygenLicense } from './keygen/mapping';
import { KeygenDocument } from './keygen/resources';
import type { Read } from './parse';
import { parseAs } from './parse';
import { type FileRefusal, refused } from './refusal-codes';

/** The unverified content of a license file. */
export interface LicenseInspection {
  readonly kind: 'inspected';
  readonly format: 'evergrant' | 'keygen';
  readonly encryptedFor: EnvelopeRecipient | undefined;
  /** Undefined when the file cannot be decrypted, and for Keygen files, which name no key. */
  readonly certificate: Certificate | undefined;
  /** The kid of the deployment key that the license is bound to. */
  readonly deployment: string | undefined;
  /** Undefined when the file cannot be decrypted. */
  readonly document: Read<LicenseDocument> | undefined;
  /** Why the document is missing. */
  readonly closed: string | undefined;
  readonly dropped: readonly string[];
}

const EMPTY = {
  kind: 'inspected',
  encryptedFor: undefined,
  certificate: undefined,
  deployment: undefined,
  document: undefined,
  closed: undefined,
  dropped: [],
} as const;

/** Reads a license file without verifying it. Never throws. */
export async function inspectLicense(
  text: string,
  keys: DecryptionKeys = {},
): Promise<LicenseInspection | FileRefusal> {
  const file = dearmor(text);
  if (file.kind === 'unreadable') return unreadable(file.reason);
  const [first] = file.blocks as [Block];
  if (first.label === 'LICENSE FILE') return inspectKeygen(first.body, keys);
  if (first.label !== 'EVERGRANT LICENSE') return unreadable('it contains no license');
  return inspectEvergrant(first.body, keys);
}

async function inspectEvergrant(body: string, keys: DecryptionKeys): Promise<LicenseInspection | FileRefusal> {
  const compact = readCompact(body);
  if (compact.kind === 'unreadable') return unreadable(compact.reason);
  if (compact.kind === 'jws') return inspectSigned(body, undefined);
  const recipient = encryptedFor(compact.header);
  if (!recipient) return unreadable('its encryption is not supported');
  const opened = await openEnvelope(body, recipient, keys);
  if (opened.kind === 'opened') return inspectSigned(opened.content, recipient);
  return { ...EMPTY, format: 'evergrant', encryptedFor: recipient, closed: opened.detail };
}

async function inspectSigned(
  jws: string,
  recipient: EnvelopeRecipient | undefined,
): Promise<LicenseInspection | FileRefusal> {
  const compact = readCompact(jws);
  if (compact.kind !== 'jws') return unreadable('its content is not signed');
  const { certificate, deployment } = compact.header;
  const parsed = typeof certificate === 'string' ? await readCertificate(certificate) : undefined;
  return {
    ...EMPTY,
    format: 'evergrant',
    encryptedFor: recipient,
    certificate: parsed === undefined || 'kind' in parsed ? undefined : parsed,
    deployment: typeof deployment === 'string' ? deployment : undefined,
    document: readDocument(unverifiedPayload(jws)),
  };
}

function inspectKeygen(body: string, { licenseKey }: DecryptionKeys): LicenseInspection | FileRefusal {
  const read = readContainer(body);
  if (read.kind === 'refused') return read;
  const recipient = isEncrypted(read.container) ? ({ kind: 'license_key' } as const) : undefined;
  const content = contentOf(read.container, licenseKey);
  if (!content) {
    const closed = licenseKey === undefined ? 'its license key is needed' : 'the given license key does not decrypt it';
    return { ...EMPTY, format: 'keygen', encryptedFor: recipient, closed };
  }
  const source = parseAs(KeygenDocument, content.json);
  const mapped = source.kind === 'read' ? mapKeygenLicense(source.value) : { document: source, dropped: [] };
  return { ...EMPTY, format: 'keygen', encryptedFor: recipient, ...mapped };
}

function unreadable(reason: string): FileRefusal {
  return refused('license_unreadable', `the license file cannot be read: ${reason}`);
}
