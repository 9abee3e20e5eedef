import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const SCRIPT = join(__dirname, '../../scripts/test-aws.js');

/** The error of `npm run test:aws` when Python is this shell script, or missing. */
function said(python: string | null): { status: number | null; stderr: string } {
  const folder = mkdtempSync(join(tmpdir(), 'evergrant-python-'));
  try {
    const program = join(folder, 'python');
    if (python !== null) writeFileSync(program, `#!/bin/sh\n${python}\n`, { mode: 0o755 });
    const env = { PATH: process.env.PATH, EVERGRANT_PYTHON: program };
    const { status, stderr } = spawnSync(process.execPath, [SCRIPT], { encoding: 'utf8', env });
    return { status, stderr: stderr.replace(program, 'python') };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

describe('test:aws: reports a missing requirement before any installation', () => {
  const WANTED = 'these tests need Python 3.10 or later, with its module venv. EVERGRANT_PYTHON names another one';

  it.each([
    ['an old Python', 'printf "3 9"', 'python is Python 3.9'],
    ['an old Python without venv', 'printf "2 7"; echo "ImportError: ensurepip" >&2; exit 1', 'python is Python 2.7'],
    [
      'a Python without venv',
      'printf "3 12"; echo "ModuleNotFoundError: ensurepip" >&2; exit 1',
      'python cannot make a virtual environment (ModuleNotFoundError: ensurepip)',
    ],
    ['no Python', null, 'there is no python'],
  ])('%s', (_which, python, complaint) => {
    const { status, stderr } = said(python);
    expect(status).toBe(1);
    expect(stderr).toContain(`${complaint}: ${WANTED}`);
  });
});
