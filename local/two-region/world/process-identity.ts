import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';

/** Whether a process with this pid exists (a zombie counts as gone). */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
  return runState(pid) !== 'Z';
}

/** The kernel's one-letter state of a process on Linux (R, S, D, T stopped, Z zombie), else undefined. */
export function runState(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3);
  } catch {
    return undefined;
  }
}

/**
 * Whether a live pid belongs to the world at `home`, by its environment or its command line: a pid alone may have been
 * given to a stranger since it was written down.
 */
export function belongsToWorld(pid: number, home: string): boolean {
  if (!isAlive(pid)) return false;
  if (existsSync('/proc/self/environ')) {
    return [`/proc/${pid}/environ`, `/proc/${pid}/cmdline`].some((file) => {
      try {
        return readFileSync(file, 'utf8').includes(home);
      } catch {
        return false;
      }
    });
  }
  try {
    return execFileSync('ps', ['-E', '-o', 'command=', '-p', String(pid)], { encoding: 'utf8' }).includes(home);
  } catch {
    return false;
  }
}
