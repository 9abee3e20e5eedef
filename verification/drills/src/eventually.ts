import { setTimeout as delay } from 'node:timers/promises';

const POLL_MS = 25;

/** An awaited condition did not become true in time. */
export class NotInTimeError extends Error {
  readonly code = 'not_in_time';
}

/**
 * Polls `check` until it returns something other than undefined or false.
 * @throws NotInTimeError after `limitMs`, with the condition and the last error of the check.
 */
export async function waitUntil<T>(
  what: string,
  limitMs: number,
  check: () => T | undefined | false | Promise<T | undefined | false>,
): Promise<T> {
  const deadline = performance.now() + limitMs;
  let last: unknown;
  for (;;) {
    try {
      const value = await check();
      if (value !== undefined && value !== false) return value;
    } catch (error) {
      last = error;
    }
    if (performance.now() > deadline) {
      const why = last instanceof Error ? ` (${last.message})` : '';
      throw new NotInTimeError(`${what}: not within ${limitMs} ms${why}`);
    }
    await delay(POLL_MS);
  }
}

/** Polls `check` for `forMs`. Resolves to undefined if it always returned undefined, else to its first other result. */
export async function steadily(
  forMs: number,
  check: () => string | undefined | Promise<string | undefined>,
): Promise<string | undefined> {
  const deadline = performance.now() + forMs;
  while (performance.now() < deadline) {
    const broken = await check();
    if (broken !== undefined) return broken;
    await delay(POLL_MS);
  }
  return undefined;
}
