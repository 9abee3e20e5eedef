import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { projectRoot } from '@evergrant/local-cluster/world/files';

const execute = promisify(execFile);
const OLDEST_MINOR = 10;
const INSTALL_LIMIT_MS = 300_000;

/** What this machine lacks for the fuzz, with what to do about it. */
export class PythonMissingError extends Error {
  readonly code = 'python_missing';
}

/**
 * The folder with Schemathesis's commands: a virtual environment in `.cache/`, made once for each list of pinned
 * packages. @throws PythonMissingError
 */
export async function installSchemathesis(say: (line: string) => void): Promise<string> {
  const requirements = join(projectRoot(), 'verification/api-fuzz/src/requirements.txt');
  const digest = createHash('sha256').update(readFileSync(requirements)).digest('hex').slice(0, 12);
  const environment = join(projectRoot(), '.cache', `schemathesis-${digest}`);
  const bin = join(environment, 'bin');
  const complete = join(environment, 'complete');
  if (existsSync(complete)) return bin;

  const python = await findPython();
  say('installing Schemathesis into .cache (once)');
  // An interrupted installation starts again.
  rmSync(environment, { recursive: true, force: true });
  await orExplain(execute(python, ['-m', 'venv', environment], { timeout: INSTALL_LIMIT_MS }), {
    what: 'Python cannot make a virtual environment',
    remedy: 'install the package python3-venv',
  });
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-deps', '--requirement'];
  await orExplain(execute(join(bin, 'python'), [...pip, requirements], { timeout: INSTALL_LIMIT_MS }), {
    what: 'Schemathesis could not be installed',
    remedy: 'check that pip reaches its package index, and that this Python is 3.10 or newer',
  });
  writeFileSync(complete, '');
  return bin;
}

async function findPython(): Promise<string> {
  const candidates = [process.env.EVERGRANT_PYTHON, 'python3', 'python'].filter((name) => name !== undefined);
  for (const name of candidates) {
    try {
      const { stdout } = await execute(name, ['-c', 'import sys; print(*sys.version_info[:2])']);
      const [major = 0, minor = 0] = stdout.trim().split(' ').map(Number);
      if (major === 3 && minor >= OLDEST_MINOR) return name;
    } catch {
      // Not there, or not Python: the next one.
    }
  }
  throw new PythonMissingError(
    `the fuzz of the endpoints needs Python 3.${OLDEST_MINOR} or newer, and found none as ${candidates.join(', ')}: ` +
      'install python3 and python3-venv, or name one with EVERGRANT_PYTHON. Everything else works without it.',
  );
}

async function orExplain(work: Promise<unknown>, { what, remedy }: { what: string; remedy: string }): Promise<void> {
  try {
    await work;
  } catch (cause) {
    const said = (cause as { stderr?: string }).stderr?.trim() || (cause as Error).message;
    throw new PythonMissingError(`${what}: ${remedy}.\n${said}`, { cause });
  }
}
