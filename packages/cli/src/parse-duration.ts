import { InvalidArgumentError } from 'commander';

const UNIT_SECONDS: Readonly<Record<string, number>> = { m: 60, h: 3_600, d: 86_400 };

/** Parses `90d`, `12h` or `30m` to seconds; undefined for any other text. */
export function parseDurationSeconds(text: string): number | undefined {
  const [, count, unit = ''] = /^(\d{1,6})([mhd])$/.exec(text) ?? [];
  return count === undefined ? undefined : Number(count) * (UNIT_SECONDS[unit] ?? 0);
}

/** Parses the value of an option that takes a duration longer than zero. @throws InvalidArgumentError */
export function durationOption(text: string): number {
  const seconds = parseDurationSeconds(text);
  if (seconds !== undefined && seconds > 0) return seconds;
  throw new InvalidArgumentError('Give a duration: 90d, 12h, 30m.');
}
