import { readFileSync, writeFileSync } from 'node:fs';
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
import { CommandError, EXIT } from '../../errors';

/** A file's text; `-` is standard input. @throws CommandError */
export function readText(path: string): string {
  try {
    return readFileSync(path === '-' ? 0 : path, 'utf8');
  } catch (error) {
    throw usage('not_read', `${path} cannot be read (${(error as NodeJS.ErrnoException).code}).`);
  }
}

/** The message never quotes the content: it may be secret. @throws CommandError */
export function readJson(path: string): unknown {
  const text = readText(path);
  try {
    return JSON.parse(text);
  } catch {
    throw usage('not_json', `${path} is not JSON.`);
  }
}

export async function readPrivateKeyFile(path: string, role: KeyRole): Promise<PrivateKey> {
  return usable(path, await readPrivateKey(readJson(path), role));
}

export async function readPublicKeyFile(path: string, role: KeyRole): Promise<PublicKey> {
  return usable(path, await readPublicKey(readJson(path), role));
}

/** @throws CommandError that names every mistake. */
export function usable<T>(path: string, read: Read<T>): T {
  if (read.kind === 'read') return read.value;
  throw usage('not_usable', `${path} is not usable:\n${listed(read.errors)}`);
}

/** A license key comes from a file, never from the command line, which others can see. */
export function readLicenseKeyFile(path: string | undefined): string | undefined {
  if (path === undefined) return undefined;
  const licenseKey = readText(path).trim();
  if (licenseKey === '') throw usage('no_license_key', `${path} is empty; it should hold the license key.`);
  return licenseKey;
}

/** For what is signed here: our license keys are GUIDs. */
export function readGuidFile(path: string | undefined): string | undefined {
  const licenseKey = readLicenseKeyFile(path);
  if (licenseKey === undefined || isGuid(licenseKey)) return licenseKey;
  const make = 'npx evergrant license keygen license-key --out FILE';
  throw usage('no_license_key', `${path} holds no license key, which is a GUID. Make one with: ${make}`);
}

/** Never over a file that is there already: it may be the only copy. */
export function writeNewFile(path: string, content: string): void {
  try {
    writeFileSync(path, content, { flag: 'wx' });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why = code === 'EEXIST' ? 'is there already: choose another file' : `cannot be written (${code})`;
    throw usage('not_written', `${path} ${why}.`);
  }
}

export function usage(code: string, message: string): CommandError {
  return new CommandError({ exitCode: EXIT.usage, code, message });
}

export function listed(mistakes: readonly ValidationError[]): string {
  return mistakes.map((mistake) => `  - ${describeErrors([mistake])}`).join('\n');
}

/** A value as a JSON file, as people read it. */
export function jsonFile(value: object): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
