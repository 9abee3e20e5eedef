import { createWriteStream, openSync, readFileSync, writeFileSync } from 'node:fs';
import type { Writable } from 'node:stream';
import type { JWK } from 'jose';
import { CommandError, EXIT, usageError } from './errors';

/** Reads a file as text; `-` is standard input. @throws CommandError (`not_read`) */
export function readText(path: string): string {
  try {
    return readFileSync(path === '-' ? 0 : path, 'utf8');
  } catch (error) {
    throw usageError('not_read', `${path} cannot be read (${codeOf(error)}).`);
  }
}

/** The message never quotes the content, which may be secret. @throws CommandError (`not_read`, `not_json`) */
export function readJson(path: string): unknown {
  const text = readText(path);
  try {
    return JSON.parse(text);
  } catch {
    throw usageError('not_json', `${path} is not JSON.`);
  }
}

/** Reads a JSON Web Key Set. @throws CommandError (`not_read`, `not_json`, `unusable_file`) */
export function readKeySet(path: string): { keys: JWK[] } {
  const content = readJson(path) as { keys?: unknown } | null;
  if (Array.isArray(content?.keys)) return { keys: content.keys as JWK[] };
  throw unusableFile(`${path} is not a JSON Web Key Set.`);
}

/** Never overwrites a file: it may be the only copy. @throws CommandError (`not_written`) */
export function writeNewFile(path: string, content: string): void {
  try {
    writeFileSync(path, content, { flag: 'wx' });
  } catch (error) {
    throw notWritten(path, error);
  }
}

/** Like `writeNewFile`, readable by its owner only. @throws CommandError (`not_written`) */
export function writeSecretFile(path: string, secret: string): void {
  try {
    writeFileSync(path, `${secret}\n`, { mode: 0o600, flag: 'wx' });
  } catch (error) {
    throw notWritten(path, error);
  }
}

/** Opens a new file for streaming. @throws CommandError (`not_written`) */
export function openNewFile(path: string): Writable {
  try {
    return createWriteStream(path, { fd: openSync(path, 'wx') });
  } catch (error) {
    throw notWritten(path, error);
  }
}

/** A readable file whose content the command cannot use. */
export function unusableFile(message: string): CommandError {
  return new CommandError({ exitCode: EXIT.usage, code: 'unusable_file', message });
}

/** Formats a value as a JSON file. */
export function jsonFile(value: object): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

function notWritten(path: string, error: unknown): CommandError {
  const code = codeOf(error);
  return usageError(
    'not_written',
    code === 'EEXIST' ? `${path} already exists: choose another file.` : `${path} cannot be written (${code}).`,
  );
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}
