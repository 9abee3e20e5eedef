import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildSync } from 'esbuild';

const UNSHARE = ['--pid', '--fork', '--mount-proc', '--kill-child'];
const canUnshare = spawnSync('unshare', [...UNSHARE, 'true']).status === 0;

/** Opens the state file, prints the problem or `opened`, and stays until its input ends. */
const PROGRAM = `
const { StateFile } = require('./state-file.js');
const { PROCESS_CLOCK } = require('./clock.js');
let problem = 'opened';
const file = new StateFile({ path: process.argv[2], clock: PROCESS_CLOCK, onNotice: (notice) => { problem = notice.problem; } });
file.open();
console.log(process.pid + ' ' + problem);
process.stdin.on('end', () => void file.close()).resume();
`;

/** Each container has its own pid namespace, in which the process has the pid 1, and the host name of the machine. */
(canUnshare ? describe : describe.skip)('the state file of two containers with one host name and one pid', () => {
  let dir: string;
  const containers: ChildProcessWithoutNullStreams[] = [];

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'evergrant-containers-'));
    const src = join(__dirname, '../../src');
    buildSync({
      entryPoints: { 'state-file': join(src, 'state/state-file.ts'), clock: join(src, 'time/clock.ts') },
      outdir: dir,
      bundle: true,
      platform: 'node',
    });
    writeFileSync(join(dir, 'program.js'), PROGRAM);
  });

  afterEach(async () => {
    await Promise.all(containers.splice(0).map((container) => ended(container, 'SIGKILL')));
    rmSync(dir, { recursive: true });
  });

  async function start(): Promise<{ container: ChildProcessWithoutNullStreams; said: string }> {
    const program = [process.execPath, join(dir, 'program.js'), join(dir, 'license.json')];
    const container = spawn('unshare', [...UNSHARE, ...program]);
    containers.push(container);
    const said = await new Promise<string>((resolve) => container.stdout.once('data', (line) => resolve(String(line))));
    return { container, said: said.trim() };
  }

  function ended(container: ChildProcessWithoutNullStreams, signal?: NodeJS.Signals): Promise<void> {
    if (container.exitCode !== null || container.signalCode !== null) return Promise.resolve();
    return new Promise((resolve) => {
      container.once('exit', () => resolve());
      if (signal) container.kill(signal);
      else container.stdin.end();
    });
  }

  it('has one writer', async () => {
    expect((await start()).said).toBe('1 opened');
    expect((await start()).said).toBe('1 in_use');
    expect((await start()).said).toBe('1 in_use');
  });

  it('is free when the writer has closed it', async () => {
    const { container } = await start();
    await ended(container);
    expect((await start()).said).toBe('1 opened');
  });
});
