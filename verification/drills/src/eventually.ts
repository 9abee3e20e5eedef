import { setTimeout as delay } from 'node:timers/promises';

const POLL_MS = 25;

/** What a drill waited for did not happen in time. */
export class NotInTimeError extends Error {
  readonly code = 'not_in_time';
}

/**
 * Asks again and again until `check` gives something that is neither undefined nor false.
 * @throws NotInTimeError after `limitMs`, naming what was waited for and the last error of the check.
 */
export async function eventually<T>(
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

/** Watches for `forMs`. @returns undefined if `check` held all the time, else what it said when it did not. */
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
