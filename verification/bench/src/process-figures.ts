import { readFileSync } from 'node:fs';

/** Linux counts CPU time in hundredths of a second, whatever the kernel's own tick. */
const TICKS_PER_SECOND = 100;
const UTIME_FIELD = 11;

/** CPU time that each of some processes has used so far, by pid. */
export type CpuTimes = ReadonlyMap<number, number>;

/** Undefined where there is no /proc. */
export function cpuTimes(pids: readonly number[]): CpuTimes | undefined {
  if (process.platform !== 'linux') return undefined;
  return new Map(pids.map((pid) => [pid, ticksOf(pid)]));
}

/** What those processes have used between two looks, in seconds. What ended in between is left out: it had no part. */
export function cpuSecondsBetween(before: CpuTimes, after: CpuTimes): number {
  // Of what ended between being found and being read there is nothing to read: it counts as 0, not as less.
  const ticks = [...after].reduce((sum, [pid, count]) => sum + Math.max(0, count - (before.get(pid) ?? 0)), 0);
  return ticks / TICKS_PER_SECOND;
}

function ticksOf(pid: number): number {
  try {
    // After the name, which may contain anything: state, then the numbers that proc(5) counts from the third on.
    const fields = (readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ').at(-1) ?? '').split(' ');
    return Number(fields[UTIME_FIELD]) + Number(fields[UTIME_FIELD + 1]);
  } catch {
    return 0;
  }
}

/** Memory that a process has in RAM, in bytes; undefined where there is no /proc. */
export function residentBytes(pid: number): number | undefined {
  if (process.platform !== 'linux') return undefined;
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1];
  return kilobytes === undefined ? undefined : Number(kilobytes) * 1024;
}
