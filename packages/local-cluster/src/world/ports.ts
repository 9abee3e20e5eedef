import { createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { DEFAULT_BASE_PORT, Layout, LOOPBACK } from '../layout';

const LOOK_EVERY_MS = 50;

/** Ports of the world that other processes already use. */
export class PortsTakenError extends Error {
  readonly code = 'ports_taken';

  constructor(taken: readonly { port: number; usedBy: string }[], basePort: number) {
    const list = taken.map(({ port, usedBy }) => `  ${port}  needed by ${usedBy}`).join('\n');
    const other = basePort === DEFAULT_BASE_PORT ? 9080 : basePort + 1000;
    super(
      `These ports of ${LOOPBACK} are in use:\n${list}\n` +
        `Stop the processes that use them, or use other ports: EVERGRANT_PORT=${other} npm start`,
    );
    this.name = 'PortsTakenError';
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: LOOPBACK, exclusive: true }, () => server.close(() => resolve(true)));
  });
}

async function takenPorts(layout: Layout): Promise<{ port: number; usedBy: string }[]> {
  const checked = await Promise.all(
    layout.allPorts().map(async (entry) => ({ entry, free: await isFree(entry.port) })),
  );
  return checked.filter(({ free }) => !free).map(({ entry }) => entry);
}

/**
 * A killed process may keep its ports for a moment, because its threads end one by one.
 * @throws PortsTakenError with every port that is still taken after `withinMs`, and the process that needs it.
 */
export async function requireFreePorts(layout: Layout, { withinMs }: { withinMs: number }): Promise<void> {
  const deadline = performance.now() + withinMs;
  let taken = await takenPorts(layout);
  while (taken.length > 0) {
    if (performance.now() > deadline) throw new PortsTakenError(taken, layout.basePort);
    await delay(LOOK_EVERY_MS);
    taken = await takenPorts(layout);
  }
}

const SEARCH_FROM = 20_000;
const SEARCH_STEP = 60;
const SEARCH_TRIES = 200;

/** A base port whose whole range is free, for the worlds of drills and tests, which run beside a user's world. */
export async function findFreeBasePort(random: () => number = Math.random): Promise<number> {
  const start = Math.floor(random() * SEARCH_TRIES);
  for (let attempt = 0; attempt < SEARCH_TRIES; attempt += 1) {
    const basePort = SEARCH_FROM + ((start + attempt) % SEARCH_TRIES) * SEARCH_STEP;
    if ((await takenPorts(new Layout(basePort))).length === 0) return basePort;
  }
  throw new Error('no free range of ports was found on this machine');
}

/** Parses EVERGRANT_PORT. @throws RangeError with the valid values */
export function parseBasePort(text: string | undefined): number {
  if (text === undefined || text === '') return DEFAULT_BASE_PORT;
  const port = Number(text);
  if (!Number.isInteger(port) || port < 1024 || port > 65_000) {
    throw new RangeError(`EVERGRANT_PORT is "${text}"; it must be a whole number from 1024 to 65000, such as 8080`);
  }
  return port;
}
