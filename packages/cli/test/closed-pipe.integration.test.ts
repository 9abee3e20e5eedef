import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const COMMAND = join(__dirname, '../bin.js');

it('closed pipe: the command ends without a message when its reader has gone', () => {
  // The reader closes its end before the command writes.
  const script = `node '${COMMAND}' --help | (exec <&-; sleep 2)`;
  const { stderr, status } = spawnSync('sh', ['-c', script], { encoding: 'utf8' });
  expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
});

it('version: prints the version of the package', () => {
  const { stdout } = spawnSync(process.execPath, [COMMAND, '--version'], { encoding: 'utf8' });
  expect(stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
});
