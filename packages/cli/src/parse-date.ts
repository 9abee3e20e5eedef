import { usageError } from './errors';
import { parseDurationSeconds } from './parse-duration';

/** Parses a date, an instant, or a duration from now (`365d`) to milliseconds since 1970; undefined when invalid. */
export function parseInstantMs(text: string, nowMs: number): number | undefined {
  const seconds = parseDurationSeconds(text);
  const atMs = seconds === undefined ? Date.parse(text) : nowMs + seconds * 1_000;
  return Number.isNaN(atMs) ? undefined : atMs;
}

/** Parses the value of an option to ISO 8601. @throws CommandError (`not_a_moment`) that names the option */
export function parseDate(option: string, text: string, nowMs: number): string {
  const atMs = parseInstantMs(text, nowMs);
  if (atMs !== undefined) return new Date(atMs).toISOString();
  throw usageError(
    'not_a_moment',
    `${option} ${text}: give a date (2027-12-31), an instant (2027-12-31T12:00:00Z) or days from now (365d).`,
  );
}
