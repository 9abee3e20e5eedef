import { spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ClientNotice } from '../../src/license-client';
import { ownIdentity, processStartOf } from '../../src/state/process-identity';
import type { ClientState } from '../../src/state/schema';
import { StateFile } from '../../src/state/state-file';
import { type Cancel, PROCESS_CLOCK } from '../../src/time/clock';

const stateNamed = (identity: string): ClientState => {
  return { identity, room: undefined, keys: [], contact: undefined, leases: [] };
};

describe('the state file', () => {
  let dir: string;
  let path: string;
  let problems: string[];
  const files: StateFile[] = [];

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'evergrant-state-'));
    path = join(dir, 'license.json');
    problems = [];
  });

  afterEach(async () => {
    await Promise.all(files.splice(0).map((file) => file.close()));
    chmodSync(dir, 0o700);
    rmSync(dir, { recursive: true });
  });

  function newFile(clock = PROCESS_CLOCK): StateFile {
    const onNotice = (notice: ClientNotice): void => {
      if (notice.kind === 'state') problems.push(notice.problem);
    };
    const file = new StateFile({ path, clock, onNotice });
    files.push(file);
    return file;
  }

  async function written(identity: string): Promise<void> {
    const file = newFile();
    file.open();
    file.save(() => stateNamed(identity));
    await file.close();
  }

  const stale = (owner: object): void => writeFileSync(`${path}.lock`, JSON.stringify(owner));

  it('returns the last saved state to the next process', async () => {
    const first = newFile();
    expect(first.open()).toBeUndefined();
    for (const identity of ['one', 'two', 'three']) first.save(() => stateNamed(identity));
    await first.close();
    expect(newFile().open()?.identity).toBe('three');
    expect(problems).toEqual([]);
  });

  it('is readable by its owner only and leaves no other files', async () => {
    await written('one');
    await written('two');
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readdirSync(dir)).toEqual(['license.json']);
  });

  it('is complete at any time, also beside a partial write of a crashed process', async () => {
    await written('one');
    writeFileSync(`${path}.next`, '{"version":1,"chec');
    const file = newFile();
    expect(file.open()?.identity).toBe('one');
    file.save(() => stateNamed('two'));
    await file.flushed();
    expect(JSON.parse(readFileSync(path, 'utf8')).state.identity).toBe('two');
  });

  it('is renamed, reported and started again when damaged', async () => {
    writeFileSync(path, 'not a state');
    const file = newFile();
    expect(file.open()).toBeUndefined();
    expect(problems).toEqual(['damaged']);
    expect(readFileSync(`${path}.damaged`, 'utf8')).toBe('not a state');
    file.save(() => stateNamed('new'));
    await file.close();
    expect(newFile().open()?.identity).toBe('new');
  });

  it('is neither read nor written when it comes from a later release', async () => {
    writeFileSync(path, '{"version":99}');
    const file = newFile();
    expect(file.open()).toBeUndefined();
    file.save(() => stateNamed('older'));
    await file.close();
    expect(problems).toEqual(['newer_version']);
    expect(readFileSync(path, 'utf8')).toBe('{"version":99}');
  });

  it('in a missing folder is reported and has no other effect', async () => {
    path = join(dir, 'nowhere', 'license.json');
    const file = newFile();
    expect(file.open()).toBeUndefined();
    file.save(() => stateNamed('lost'));
    await file.close();
    expect(problems).toEqual(['not_writable']);
  });

  it('is not overwritten when it is not readable', async () => {
    mkdirSync(path);
    const file = newFile();
    expect(file.open()).toBeUndefined();
    file.save(() => stateNamed('lost'));
    await file.close();
    expect(problems).toEqual(['not_readable']);
  });

  it('is locked again when its lock file was deleted', async () => {
    const file = newFile();
    file.open();
    rmSync(`${path}.lock`);
    file.save(() => stateNamed('one'));
    await file.flushed();
    expect(existsSync(`${path}.lock`)).toBe(true);
    expect(problems).toEqual([]);
  });

  it('reports a failed write once, and again after the next success', async () => {
    const file = newFile();
    file.open();
    rmSync(dir, { recursive: true });
    file.save(() => stateNamed('one'));
    await file.flushed();
    file.save(() => stateNamed('two'));
    await file.flushed();
    mkdirSync(dir);
    expect(problems).toHaveLength(1);
  });

  describe('allows one writer', () => {
    it('of two clients in one process', async () => {
      await written('first');
      const [first, second] = [newFile(), newFile()];
      expect(first.open()?.identity).toBe('first');
      expect(second.open()).toBeUndefined();
      expect(problems).toEqual(['in_use']);
      second.save(() => stateNamed('second'));
      await second.close();
      first.save(() => stateNamed('first again'));
      await first.close();
      expect(newFile().open()?.identity).toBe('first again');
    });

    it('of two processes', () => {
      stale({ nonce: 'other', pid: process.ppid, host: hostname() });
      expect(newFile().open()).toBeUndefined();
      expect(problems).toEqual(['in_use']);
    });

    it('after the other process died', () => {
      const killed = spawnSync(process.execPath, ['-e', '']).pid;
      stale({ nonce: 'other', ...ownIdentity(), pid: killed, startedAt: '1' });
      newFile().open();
      expect(problems).toEqual([]);
    });

    it('after the other process died and its pid was reused', () => {
      stale({ nonce: 'other', ...ownIdentity(), pid: process.ppid, startedAt: '1' });
      newFile().open();
      expect(problems).toEqual([]);
    });

    it('while the other process lives, however old its last touch', () => {
      const alive = spawn(process.execPath, ['-e', 'setInterval(() => undefined, 1000)']);
      stale({ nonce: 'other', ...ownIdentity(), pid: alive.pid, startedAt: processStartOf(alive.pid as number) });
      const longAgo = Date.now() / 1_000 - 3_600;
      utimesSync(`${path}.lock`, longAgo, longAgo);
      newFile().open();
      alive.kill('SIGKILL');
      expect(problems).toEqual(['in_use']);
    });

    it('also when the other process has the same host name and the same pid in another container', () => {
      stale({ nonce: 'other', ...ownIdentity(), pidSpace: 'boot pid:[4026532000]' });
      newFile().open();
      expect(problems).toEqual(['in_use']);
    });

    it('also when the lock is of a release that wrote no pid space', () => {
      stale({ nonce: 'other', pid: process.pid, host: hostname() });
      newFile().open();
      expect(problems).toEqual(['in_use']);
    });

    it('across machines, until the lock was not touched for half a minute', () => {
      stale({ nonce: 'other', pid: 1, host: 'elsewhere' });
      newFile().open();
      expect(problems).toEqual(['in_use']);
      const longAgo = Date.now() / 1_000 - 31;
      utimesSync(`${path}.lock`, longAgo, longAgo);
      newFile().open();
      expect(problems).toEqual(['in_use']);
    });

    it('and touches its own lock only', () => {
      let touchNow: () => void = () => undefined;
      const after = (_ms: number, run: () => void): Cancel => {
        touchNow = run;
        return () => undefined;
      };
      const file = newFile({ ...PROCESS_CLOCK, after });
      file.open();
      const longAgo = Date.now() / 1_000 - 20;
      utimesSync(`${path}.lock`, longAgo, longAgo);
      touchNow();
      expect(statSync(`${path}.lock`).mtimeMs).toBeGreaterThan(Date.now() - 10_000);
      stale({ nonce: 'successor', pid: 1, host: 'elsewhere' });
      touchNow();
      expect(JSON.parse(readFileSync(`${path}.lock`, 'utf8')).nonce).toBe('successor');
    });

    it('with any content of the lock file', () => {
      writeFileSync(`${path}.lock`, 'nonsense');
      const longAgo = Date.now() / 1_000 - 61;
      utimesSync(`${path}.lock`, longAgo, longAgo);
      newFile().open();
      expect(problems).toEqual([]);
    });

    it('and a process whose lock was taken over stops writing', async () => {
      const sleeper = newFile();
      sleeper.open();
      stale({ nonce: 'successor', pid: process.ppid, host: hostname() });
      sleeper.save(() => stateNamed('sleeper'));
      await sleeper.close();
      expect(problems).toEqual(['in_use']);
      expect(existsSync(path)).toBe(false);
      expect(existsSync(`${path}.lock`)).toBe(true);
    });
  });
});
