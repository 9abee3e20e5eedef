import { setTimeout as wait } from 'node:timers/promises';
import type { GeneratorProcess } from './generator-process';
import { residentBytes } from './process-figures';
import type { BenchServers } from './servers';

export interface IdleSessions {
  readonly sessions: number;
  /** What the server's memory grew by, in bytes; undefined where there is no /proc. */
  readonly bytes: number | undefined;
  readonly bytesPer10000: number | undefined;
}

/** Garbage of the start and of the opening is collected during these reads. The lowest value counts. */
const SETTLED_AFTER_LOOKS = 16;
const LOOK_EVERY_MS = 250;

/** How much memory a fresh server takes for sessions that are open and say nothing. */
export async function measureIdleSessions(
  { servers, generator, token }: { servers: BenchServers; generator: GeneratorProcess; token: string },
  sessions: number,
): Promise<IdleSessions> {
  const { port, pid } = await servers.startFresh();
  const before = await leastResidentBytes(pid);
  await generator.openSessions({ kind: 'idle-sessions', serverPort: port, token, sessions });
  const after = await leastResidentBytes(pid);
  const bytes = before === undefined || after === undefined ? undefined : after - before;
  return { sessions, bytes, bytesPer10000: bytes === undefined ? undefined : (bytes / sessions) * 10_000 };
}

async function leastResidentBytes(pid: number): Promise<number | undefined> {
  let least: number | undefined;
  for (let look = 0; look < SETTLED_AFTER_LOOKS; look += 1) {
    const bytes = residentBytes(pid);
    if (bytes === undefined) return undefined;
    least = Math.min(least ?? bytes, bytes);
    await wait(LOOK_EVERY_MS);
  }
  return least;
}
