import type { EnvironmentReader } from '@evergrant/core/environment/environment-reader';
import type { SigningKey } from '../platform/jws';

const SECRETS_FILE = 'EVERGRANT_SECRETS_FILE';

/** The secrets file, or an empty record after an error. */
export function readSecrets(reader: EnvironmentReader): Record<string, unknown> {
  return asRecord(reader.jsonFile(SECRETS_FILE, { description: 'the path of the JSON file with the secrets' }));
}

export function secretText(reader: EnvironmentReader, secrets: Record<string, unknown>, name: string): string {
  const value = secrets[name];
  if (typeof value === 'string' && value !== '') return value;
  reader.addError(`${SECRETS_FILE}: ${name} is missing`);
  return '';
}

export function signingKeys(reader: EnvironmentReader, secrets: Record<string, unknown>): SigningKey[] {
  const keys = asRecord(secrets.signingKeys).keys;
  if (Array.isArray(keys) && keys.length > 0 && keys.every(isSigningKey)) return keys;
  reader.addError(`${SECRETS_FILE}: signingKeys.keys must be private Ed25519 JSON Web Keys with a kid`);
  return [];
}

function isSigningKey(value: unknown): value is SigningKey {
  const { kty, crv, kid, x, d } = asRecord(value);
  return kty === 'OKP' && crv === 'Ed25519' && [kid, x, d].every((part) => typeof part === 'string' && part !== '');
}

export function asRecord(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
