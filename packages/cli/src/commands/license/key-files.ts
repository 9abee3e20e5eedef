import {
  type KeyRole,
  type PrivateKey,
  type PublicKey,
  readPrivateKey,
  readPublicKey,
} from '@evergrant/formats/license/keys';
import { isGuid } from '@evergrant/formats/license/license-key';
import type { Read } from '@evergrant/formats/license/parse';
import { describeErrors, type ValidationError } from '@evergrant/formats/license/refusal-codes';
import { usageError } from '../../errors';
import { readJson, readText } from '../../files';

export async function readPrivateKeyFile(path: string, role: KeyRole): Promise<PrivateKey> {
  return usable(path, await readPrivateKey(readJson(path), role));
}

export async function readPublicKeyFile(path: string, role: KeyRole): Promise<PublicKey> {
  return usable(path, await readPublicKey(readJson(path), role));
}

/** @throws CommandError that lists every validation error */
export function usable<T>(path: string, read: Read<T>): T {
  if (read.kind === 'read') return read.value;
  throw usageError('not_usable', `${path} is not usable:\n${listed(read.errors)}`);
}

/** A license key is read from a file, because other users can see command lines. */
export function readLicenseKeyFile(path: string | undefined): string | undefined {
  if (path === undefined) return undefined;
  const licenseKey = readText(path).trim();
  if (licenseKey === '') throw usageError('no_license_key', `${path} is empty: it must hold the license key.`);
  return licenseKey;
}

/** Reads a license key for signing, which must be a GUID. */
export function readGuidFile(path: string | undefined): string | undefined {
  const licenseKey = readLicenseKeyFile(path);
  if (licenseKey === undefined || isGuid(licenseKey)) return licenseKey;
  const make = 'npx evergrant license keygen license-key --out FILE';
  throw usageError('no_license_key', `${path} does not hold a license key (a GUID). Create one with: ${make}`);
}

export function listed(mistakes: readonly ValidationError[]): string {
  return mistakes.map((mistake) => `  - ${describeErrors([mistake])}`).join('\n');
}
