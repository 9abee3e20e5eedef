import { createHash } from 'node:crypto';

const GUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

export function isGuid(text: string): boolean {
  return GUID.test(text.trim());
}

/** A GUID means the same in either case; any other key (of an imported license) is taken to the letter. */
export function normalizedLicenseKey(licenseKey: string): string {
  const trimmed = licenseKey.trim();
  return GUID.test(trimmed) ? trimmed.toLowerCase() : trimmed;
}

/** SHA-256 in hex: what license files and databases hold of a license key. */
export function licenseKeySha256(licenseKey: string): string {
  return createHash('sha256').update(normalizedLicenseKey(licenseKey)).digest('hex');
}
