import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/**
 * PostgreSQL's children outlive a postmaster that is killed: they are adopted by init, each in a session of its own,
 * so neither parentage nor process groups find them. What they keep is the working directory: the cluster's.
 */
export function clusterProcesses(directory: string): number[] {
  return process.platform === 'linux' ? byWorkingDirectory(directory) : byTitle(directory);
}

/** Put into the titles of all of a cluster's processes, so that they can be told apart where there is no /proc. */
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
      // Somebody's shell may stand in the directory, too.
      if (isThere && readFileSync(`/proc/${pid}/comm`, 'utf8').startsWith('postgres')) pids.push(pid);
    } catch {
      // Gone, a zombie, or somebody else's.
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

/** Sends a signal to each process that is still there. */
export function signalAll(pids: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal);
    } catch {
      // Already gone.
    }
  }
}

/**
 * Ends every process of a cluster for certain, stopped ones too, and returns when the last is gone. Until then a
 * leftover backend could still commit, and a new postmaster would refuse to start ("pre-existing shared memory block").
 */
export async function endCluster(directory: string, deadlineMs = 10_000): Promise<void> {
  const deadline = performance.now() + deadlineMs;
  for (let pids = clusterProcesses(directory); pids.length > 0; pids = clusterProcesses(directory)) {
    signalAll(pids, 'SIGKILL');
    if (performance.now() > deadline) throw new Error(`processes ${pids.join(', ')} of ${directory} cannot be ended`);
    await new Promise((resume) => setTimeout(resume, 10));
  }
}
