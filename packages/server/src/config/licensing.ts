import { type PrivateKey, readPrivateKey } from '@evergrant/formats/license/keys';
import type { ValidationError } from '@evergrant/formats/license/refusal-codes';
import { readTrust, type Trust } from '@evergrant/formats/license/trust';
import type { VariableReader } from './environment';

/** Whose license files count here, and the keys that open those encrypted to this deployment. */
export interface Licensing {
  readonly trust: Trust;
  readonly deploymentKeys: readonly PrivateKey[];
}

const NOBODY: Trust = { roots: [], withdrawnKeys: [], keygenPublicKeys: [] };

/** Remembers its mistakes in `read`. `keySet` is what the secrets file has under `deploymentKeys`. */
export async function readLicensing(read: VariableReader, keySet: unknown): Promise<Licensing> {
  return { trust: await trust(read), deploymentKeys: await deploymentKeys(read, keySet) };
}

async function trust(read: VariableReader): Promise<Trust> {
  const content = read.jsonFile('EVERGRANT_LICENSE_TRUST_FILE');
  if (content === undefined) return NOBODY;
  const found = await readTrust(content);
  if (found.kind === 'read') return found.value;
  for (const mistake of found.errors) read.mistake(inWords('EVERGRANT_LICENSE_TRUST_FILE', mistake));
  return NOBODY;
}

/** Optional: a deployment without keys of its own imports what is not encrypted to one. */
async function deploymentKeys(read: VariableReader, keySet: unknown): Promise<PrivateKey[]> {
  if (keySet === undefined) return [];
  const given = (keySet as { keys?: unknown } | null)?.keys;
  if (!Array.isArray(given)) {
    read.mistake('EVERGRANT_SECRETS_FILE: deploymentKeys.keys must be a list of private deployment keys');
    return [];
  }
  const keys: PrivateKey[] = [];
  for (const [index, value] of given.entries()) {
    const key = await readPrivateKey(value, 'deployment');
    if (key.kind === 'read') keys.push(key.value);
    else
      for (const mistake of key.errors)
        read.mistake(inWords(`EVERGRANT_SECRETS_FILE: deploymentKeys.keys.${index}`, mistake));
  }
  return keys;
}

function inWords(where: string, { path, message }: ValidationError): string {
  return `${[where, path].filter(Boolean).join(': ')} ${message}`;
}
