import { usage } from './files';

const DAY_MS = 86_400_000;

/** A date, a moment, or days from now (`365d`), as ISO 8601. @throws CommandError that names the option. */
export function momentOf(option: string, text: string, nowMs: number): string {
  const days = /^(\d{1,5})d$/.exec(text)?.[1];
  const atMs = days === undefined ? Date.parse(text) : nowMs + Number(days) * DAY_MS;
  if (!Number.isNaN(atMs)) return new Date(atMs).toISOString();
  throw usage(
    'not_a_moment',
    `${option} ${text}: give a date (2027-12-31), a moment (2027-12-31T12:00:00Z) or days from now (365d).`,
  );
}
