import { writeFileSync } from 'node:fs';
import { CommandError, EXIT } from './errors';

/** Writes what only its owner may read; an existing file is never overwritten: it may be the only copy. */
export function writeSecretFile(path: string, secret: string): void {
  try {
    writeFileSync(path, `${secret}\n`, { mode: 0o600, flag: 'wx' });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new CommandError({
      exitCode: EXIT.usage,
      code: 'not_written',
      message:
        code === 'EEXIST' ? `${path} is there already: choose another file.` : `${path} cannot be written (${code}).`,
    });
  }
}
