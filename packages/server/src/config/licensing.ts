import type { EnvironmentReader } from '@evergrant/core/environment/environment-reader';
import { type PrivateKey, readPrivateKey } from '@evergrant/formats/license/keys';
import type { ValidationError } from '@evergrant/formats/license/refusal-codes';
import { readTrust, type Trust } from '@evergrant/formats/license/trust';

/** The vendors whose license files are accepted, and the keys that decrypt files for this deployment. */
export interface Licensing {
  readonly trust: Trust;
  readonly deploymentKeys: readonly PrivateKey[];
}

const TRUST_FILE = 'EVERGRANT_LICENSE_TRUST_FILE';
const NO_TRUST: Trust = { roots: [], withdrawnKeys: [], keygenPublicKeys: [] };

/** Adds its errors to `reader`. `keySet` is the member `deploymentKeys` of the secrets file. */
export async function readLicensing(reader: EnvironmentReader, keySet: unknown): Promise<Licensing> {
  return { trust: await trust(reader), deploymentKeys: await deploymentKeys(reader, keySet) };
}

async function trust(reader: EnvironmentReader): Promise<Trust> {
  const content = reader.jsonFile(TRUST_FILE, { description: "the path of the JSON file with the vendors' root keys" });
  if (content === undefined) return NO_TRUST;
  const found = await readTrust(content);
  if (found.kind === 'read') return found.value;
  for (const error of found.errors) reader.addError(errorText(TRUST_FILE, error));
  return NO_TRUST;
}

/** Optional: a deployment without keys imports only files that are not encrypted to a deployment. */
async function deploymentKeys(reader: EnvironmentReader, keySet: unknown): Promise<PrivateKey[]> {
  if (keySet === undefined) return [];
  const given = (keySet as { keys?: unknown } | null)?.keys;
  if (!Array.isArray(given)) {
    reader.addError('EVERGRANT_SECRETS_FILE: deploymentKeys.keys must be a list of private deployment keys');
    return [];
  }
  const keys: PrivateKey[] = [];
  for (const [index, value] of given.entries()) {
    const key = await readPrivateKey(value, 'deployment');
    if (key.kind === 'read') keys.push(key.value);
    else
      for (const error of key.errors)
        reader.addError(errorText(`EVERGRANT_SECRETS_FILE: deploymentKeys.keys.${index}`, error));
  }
  return keys;
}

function errorText(source: string, { path, message }: ValidationError): string {
  return `${[source, path].filter(Boolean).join(': ')} ${message}`;
}
