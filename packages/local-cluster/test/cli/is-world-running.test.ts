import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isWorldRunning } from '../../src/cli/world-client';

let home: string;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'evergrant-home-'));
});

afterEach(() => rmSync(home, { recursive: true }));

async function exitedPid(): Promise<number> {
  const child = spawn(process.execPath, ['-e', '']);
  await once(child, 'exit');
  return child.pid as number;
}

function writeWorld(worldPid: number, processes: readonly object[] = []): void {
  writeFileSync(join(home, 'world.json'), JSON.stringify({ world: { pid: worldPid }, processes }));
}

describe('local target detection', () => {
  const detect = (): boolean => isWorldRunning({ EVERGRANT_HOME: home });

  it('finds no cluster without a world file, or with a damaged one', () => {
    expect(detect()).toBe(false);
    writeFileSync(join(home, 'world.json'), '{');
    expect(detect()).toBe(false);
  });

  it('finds a cluster whose main process lives', () => {
    writeWorld(process.pid);
    expect(detect()).toBe(true);
  });

  it('finds a cluster whose main process died while other processes live', async () => {
    writeWorld(await exitedPid(), [{ pid: process.pid, state: 'running' }]);
    expect(detect()).toBe(true);
  });

  it('ignores the file of a cluster whose processes are all gone', async () => {
    const pid = await exitedPid();
    writeWorld(pid, [
      { pid, state: 'running' },
      { pid: process.pid, state: 'exited' },
      { pid: null, state: 'exited' },
    ]);
    expect(detect()).toBe(false);
  });
});
