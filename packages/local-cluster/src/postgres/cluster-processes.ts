import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/**
 * PostgreSQL's children survive a killed postmaster. init adopts them, and each has its own session, so parent ids and
 * process groups do not find them. Their working directory, which is the cluster's, identifies them.
 */
export function clusterProcesses(directory: string): number[] {
  return process.platform === 'linux' ? byWorkingDirectory(directory) : byTitle(directory);
}

/** A part of the title of each process of a cluster. It identifies the processes where there is no /proc. */
export function clusterTitle(directory: string): string {
  return `evergrant-${createHash('sha256').update(directory).digest('hex').slice(0, 8)}`;
}

function byWorkingDirectory(directory: string): number[] {
  const pids: number[] = [];
  for (const entry of readdirSync('/proc')) {
    const pid = Number(entry);
    if (!Number.isInteger(pid)) continue;
    try {
      const isThere = readlinkSync(`/proc/${pid}/cwd`) === directory;
      // A shell may also have this working directory.
      if (isThere && readFileSync(`/proc/${pid}/comm`, 'utf8').startsWith('postgres')) pids.push(pid);
    } catch {
      // The process has ended, is a zombie, or belongs to another user.
    }
  }
  return pids;
}

function byTitle(directory: string): number[] {
  const title = clusterTitle(directory);
  const listing = execFileSync('ps', ['-axww', '-o', 'pid=,command='], { encoding: 'utf8' });
  return listing
    .split('\n')
    .filter((line) => line.includes(`postgres: ${title}`) || line.includes(`-D ${directory}`))
    .map((line) => Number.parseInt(line, 10));
}

/** Sends a signal to each process that still exists. */
export function signalAll(pids: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal);
    } catch {
      // The process has ended.
    }
  }
}

/**
 * Ends every process of a cluster with SIGKILL, including stopped ones, and returns when the last has ended. A backend
 * that is left could still commit, and a new postmaster would refuse to start ("pre-existing shared memory block").
 */
export async function endCluster(directory: string, deadlineMs = 10_000): Promise<void> {
  const deadline = performance.now() + deadlineMs;
  for (let pids = clusterProcesses(directory); pids.length > 0; pids = clusterProcesses(directory)) {
    signalAll(pids, 'SIGKILL');
    if (performance.now() > deadline) throw new Error(`processes ${pids.join(', ')} of ${directory} did not end`);
    await new Promise((resume) => setTimeout(resume, 10));
  }
}
