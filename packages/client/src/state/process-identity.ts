import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

/** Identifies a process beyond its pid, which every container counts from 1 and which is reused. */
export interface LockProcessIdentity {
  readonly pid: number;
  readonly host: string;
  /**
   * Space in which the pid is unique: on Linux the boot of the kernel and the pid namespace, elsewhere the host. Undefined
   * when it is not known. A pid says nothing to a process of another space.
   */
  readonly pidSpace: string | undefined;
  /** Start of the process in clock ticks since the boot. Undefined outside of Linux. */
  readonly startedAt: string | undefined;
}

/** `unknown`: the process belongs to another pid space. */
export type ProcessLiveness = 'alive' | 'dead' | 'unknown';

export function ownIdentity(): LockProcessIdentity {
  return { pid: process.pid, host: hostname(), pidSpace: ownPidSpace(), startedAt: processStartOf('self') };
}

/** Whether the process of that identity still runs, as far as this process can know. */
export function livenessOf(
  { pid, pidSpace, startedAt }: LockProcessIdentity,
  own: LockProcessIdentity,
): ProcessLiveness {
  if (pidSpace === undefined || pidSpace !== own.pidSpace) return 'unknown';
  if (!exists(pid)) return 'dead';
  if (startedAt === undefined) return pid === own.pid ? 'dead' : 'unknown';
  return processStartOf(pid) === startedAt ? 'alive' : 'dead';
}

function ownPidSpace(): string | undefined {
  if (process.platform !== 'linux') return `host ${hostname()}`;
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    return `${boot} ${readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    return undefined;
  }
}

/** Undefined when there is no such process, when it has exited (`Z`, `X`), and outside of Linux. See proc_pid_stat(5). */
export function processStartOf(pid: number | 'self'): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is the name in parentheses, which may contain spaces and parentheses.
    const [state = '', ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return state === 'Z' || state === 'X' ? undefined : fields[18];
  } catch {
    return undefined;
  }
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
