import { createHash } from 'node:crypto';

const GUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

export function isGuid(text: string): boolean {
  return GUID.test(text.trim());
}

/** GUIDs are case-insensitive. Any other license key (of an imported license) is compared exactly. */
export function normalizedLicenseKey(licenseKey: string): string {
  const trimmed = licenseKey.trim();
  return GUID.test(trimmed) ? trimmed.toLowerCase() : trimmed;
}

/** SHA-256 in hex. License files and databases hold only this hash of a license key. */
export function licenseKeySha256(licenseKey: string): string {
  return createHash('sha256').update(normalizedLicenseKey(licenseKey)).digest('hex');
}
