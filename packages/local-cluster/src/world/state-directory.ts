import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { writeFileAtomically } from './files';
import { identify, isStillAlive, type ProcessIdentity } from './process-identity';
import { worldFilePath } from './world-file';

/** Another main process already runs the world in this folder. */
export class WorldRunningError extends Error {
  readonly code = 'world_running';

  constructor(pid: number, home: string) {
    super(
      `A world already runs from ${home} (process ${pid}). ` +
        `Watch it with "npx evergrant status", or end it with Ctrl-C in its terminal (kill ${pid}).`,
    );
    this.name = 'WorldRunningError';
  }
}

/** The running processes of a world. After a crash, the next start ends exactly these. */
interface RunFile {
  readonly main: ProcessIdentity;
  readonly children: readonly ProcessIdentity[];
}

const ENDING_LIMIT_MS = 10_000;

const runFilePath = (home: string): string => join(home, 'run.json');

function readJson<T>(file: string): T | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as T;
  } catch {
    return undefined;
  }
}

/**
 * Claims a world's folder. It ends the processes of a crashed world by pid, after a check that the pid belongs to this
 * folder.
 *
 * @param forget set for a fresh start: removes the databases; all other content of the folder is removed too.
 * @returns whether databases of an earlier run can be recovered, and which processes were ended.
 * @throws WorldRunningError when the folder's world is alive.
 */
export async function claimStateDirectory(
  home: string,
  forget?: () => Promise<void>,
): Promise<{ recovering: boolean; ended: string[] }> {
  mkdirSync(home, { recursive: true });
  const run = readJson<RunFile>(runFilePath(home));
  if (run && isStillAlive(run.main)) throw new WorldRunningError(run.main.pid, home);
  const ended = run ? await endLeftovers(run.children) : [];
  if (forget) {
    await forget();
    rmSync(home, { recursive: true, force: true });
  }
  rmSync(worldFilePath(home), { force: true });
  mkdirSync(join(home, 'logs'), { recursive: true });
  writeRunFile(home, []);
  return { recovering: existsSync(join(home, 'prepared')), ended };
}

/** Records that the databases are complete. A later start then recovers them instead of creating new ones. */
export function markPrepared(home: string): void {
  writeFileAtomically(join(home, 'prepared'), `${new Date().toISOString()}\n`);
}

/** Releases the folder: removes the files of the running world and, with `keep` false, its databases and secrets. */
export function releaseStateDirectory(home: string, keep: boolean): void {
  rmSync(worldFilePath(home), { force: true });
  rmSync(runFilePath(home), { force: true });
  if (!keep) rmSync(home, { recursive: true, force: true });
}

/** Writes the main process and its current children to the run file. */
export function writeRunFile(home: string, children: readonly { name: string; pid: number }[]): void {
  const run: RunFile = {
    main: identify('world', process.pid),
    children: children.map(({ name, pid }) => identify(name, pid)),
  };
  writeFileAtomically(runFilePath(home), JSON.stringify(run));
}

async function endLeftovers(children: readonly ProcessIdentity[]): Promise<string[]> {
  const left = children.filter(isStillAlive);
  for (const { name, pid } of left) {
    // SIGQUIT is PostgreSQL's immediate shutdown, which also ends its backends. The next start runs crash recovery.
    signal(pid, name.includes('/db') ? 'SIGQUIT' : 'SIGKILL');
    signal(pid, 'SIGCONT');
  }
  await waitUntilGone(left);
  return left.map(({ name }) => name);
}

async function waitUntilGone(left: readonly ProcessIdentity[]): Promise<void> {
  const deadline = performance.now() + ENDING_LIMIT_MS;
  while (left.some(isStillAlive)) {
    if (performance.now() > deadline) {
      const names = left.filter(isStillAlive).map(({ name, pid }) => `${name} (process ${pid})`);
      throw new Error(
        `An earlier world left processes that do not end: ${names.join(', ')}. End them by pid, then start again.`,
      );
    }
    await delay(50);
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // The process has just ended.
  }
}
