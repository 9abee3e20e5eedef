import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { certificateFile, certify, readCertificateFile } from '@evergrant/formats/license/certificate';
import { issueLicense } from '@evergrant/formats/license/issue';
import { generateKey, type KeyRole, type PrivateKey, publicPart, readPublicKey } from '@evergrant/formats/license/keys';
import { describeErrors } from '@evergrant/formats/license/refusal-codes';
import { mergeTrust, readTrust, type Trust } from '@evergrant/formats/license/trust';
import { withDefaults } from '@evergrant/formats/license/with-defaults';
import { writeFileAtomically } from './files';

/** A license of the world, as world.json shows it. */
export interface WorldLicense {
  readonly licenseId: string;
  /** The signed file. */
  readonly file: string;
  /** The license key that Control Rooms register with. */
  readonly licenseKey: string;
}

/** The vendor and the deployment of the world. Each world has its own keys. */
export interface WorldLicensing {
  /** The roots that the world's servers trust: its own root, and the roots from the command line. */
  readonly trustFile: string;
  readonly deploymentKey: PrivateKey;
  readonly licenses: readonly WorldLicense[];
}

export interface LicensingOptions {
  /** A folder that only its owner can read. */
  readonly dir: string;
  /** A license document without its kind, validity and license key. */
  readonly draftFile: string;
  /** Public root keys or trust files of further vendors. */
  readonly trustFiles: readonly string[];
}

/** A file from the command line that the world cannot use. */
export class LicensingError extends Error {
  readonly code = 'licensing';
}

const DAY_MS = 86_400_000;
const LICENSE_DAYS = 365;
const CERTIFICATE_DAYS = 3_650;

/** Creates keys, certificate and license at the world's first start, and reads them later. @throws LicensingError */
export async function prepareLicensing({ dir, draftFile, trustFiles }: LicensingOptions): Promise<WorldLicensing> {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const root = await loadOrCreateKey(dir, 'root');
  const vendor = await loadOrCreateKey(dir, 'vendor');
  const deploymentKey = await loadOrCreateKey(dir, 'deployment');
  const certificate = await loadOrCreateCertificate(dir, root, vendor);
  const own: Trust = { roots: [publicPart(root)], withdrawnKeys: [], keygenPublicKeys: [] };
  const others = await Promise.all(trustFiles.map(readTrustFile));
  const trustFile = join(dir, 'trust.json');
  writeFileAtomically(trustFile, json(mergeTrust([own, ...others])));
  const license = await loadOrIssue({ dir, draftFile, vendor, certificate, deploymentKey });
  return { trustFile, deploymentKey, licenses: [license] };
}

async function loadOrCreateKey(dir: string, role: KeyRole): Promise<PrivateKey> {
  const file = join(dir, `${role}.private.jwk`);
  if (existsSync(file)) return JSON.parse(readFileSync(file, 'utf8')) as PrivateKey;
  const key = await generateKey(role);
  writeFileAtomically(file, json(key), 0o600);
  writeFileAtomically(join(dir, `${role}.public.jwk`), json(publicPart(key)));
  return key;
}

async function loadOrCreateCertificate(dir: string, root: PrivateKey, key: PrivateKey): Promise<string> {
  const file = join(dir, 'vendor.certificate');
  if (existsSync(file)) {
    const read = readCertificateFile(readFileSync(file, 'utf8'));
    if (read.kind === 'refused') throw new LicensingError(`${file}: ${read.detail}`);
    return read.certificate;
  }
  const certificate = await certify({ root, key, ...validFor(CERTIFICATE_DAYS) });
  writeFileAtomically(file, certificateFile(certificate));
  return certificate;
}

interface Order {
  readonly dir: string;
  readonly draftFile: string;
  readonly vendor: PrivateKey;
  readonly certificate: string;
  readonly deploymentKey: PrivateKey;
}

/** Encrypted to the world's deployment, as a vendor sends it. */
async function loadOrIssue({ dir, draftFile, vendor, certificate, deploymentKey }: Order): Promise<WorldLicense> {
  const draft = JSON.parse(readFileSync(draftFile, 'utf8')) as { licenseId: string };
  const { licenseId } = draft;
  const [file, keyFile] = [join(dir, `${licenseId}.license`), join(dir, `${licenseId}.license-key`)];
  if (existsSync(file)) return { licenseId, file, licenseKey: readFileSync(keyFile, 'utf8').trim() };
  const licenseKey = randomUUID();
  const read = withDefaults({ kind: 'cloud', ...validFor(LICENSE_DAYS), ...draft }, licenseKey);
  if (read.kind === 'invalid') throw new LicensingError(`${draftFile}: ${describeErrors(read.errors)}`);
  const encryptTo = { kind: 'deployment', key: publicPart(deploymentKey) } as const;
  const issued = await issueLicense({ document: read.value, key: vendor, certificate, encryptTo });
  if (issued.kind === 'refused') throw new LicensingError(`${draftFile}: ${issued.detail}`);
  writeFileAtomically(keyFile, `${licenseKey}\n`, 0o600);
  writeFileAtomically(file, issued.file);
  return { licenseId, file, licenseKey };
}

/** A root key as `license keygen` writes it, or a trust file as `license trust` writes it. */
async function readTrustFile(file: string): Promise<Trust> {
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(file, 'utf8'));
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new LicensingError(`--trust ${file}: the file ${code ? `cannot be read (${code})` : 'is not JSON'}`, {
      cause,
    });
  }
  const isKey = typeof content === 'object' && content !== null && 'kty' in content;
  const root = isKey ? await readPublicKey(content, 'root') : undefined;
  const read = root?.kind === 'invalid' ? root : await readTrust(root ? { roots: [root.value] } : content);
  if (read.kind === 'invalid') throw new LicensingError(`--trust ${file}: ${describeErrors(read.errors)}`);
  return read.value;
}

/** Slightly in the past, so that a small clock difference on the reader's machine does not matter. */
function validFor(days: number): { validFrom: string; validUntil: string } {
  const now = Date.now();
  return {
    validFrom: new Date(now - DAY_MS).toISOString(),
    validUntil: new Date(now + days * DAY_MS).toISOString(),
  };
}

function json(value: object): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
