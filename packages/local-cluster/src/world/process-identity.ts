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
 * The start time of a process as the system reports it: clock ticks since boot on Linux, a date elsewhere. A pid alone
 * may have been reused since it was written. Pid and start time together identify one process permanently.
 */
function startTime(pid: number): string | undefined {
  try {
    if (existsSync('/proc/self/stat')) {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      // Field 22. The fields after the command's closing bracket start with field 3.
      return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
    }
    return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim() || undefined;
  } catch {
    return undefined;
  }
}

/** A process with its identity, for a later comparison. */
export interface ProcessIdentity {
  readonly name: string;
  readonly pid: number;
  readonly startTime: string | undefined;
}

export function identify(name: string, pid: number): ProcessIdentity {
  return { name, pid, startTime: startTime(pid) };
}

/** Whether the process with this identity is still alive. */
export function isStillAlive({ pid, startTime: then }: ProcessIdentity): boolean {
  return isAlive(pid) && then !== undefined && startTime(pid) === then;
}
