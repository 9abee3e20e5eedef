import {
  type DailyRecords,
  type DayAccount,
  type DenialsAccount,
  SeatAccounting,
} from '@evergrant/formats/audit/accounting';
import { createStatementReader } from '@evergrant/formats/audit/checkpoint';
import { type Finding, finding } from '@evergrant/formats/audit/finding';
import { type VerificationInput, type VerificationSummary, verifyLog } from '@evergrant/formats/audit/verification';
import { CommandError, EXIT } from '../errors';
import { readKeySet } from '../files';
import type { Output } from '../output';
import { eventsIn, statementsIn } from './files';
import type { HeadsView, ServerLog } from './server-log';

/** An event of a running deployment without a checkpoint after this time is a finding. */
const OVERDUE_AFTER_MS = 300_000;
const FINDINGS_KEPT_MAX = 1_000;
const USAGE_DAYS = 365;
/** Days without events must have no denials. This many days before the first and after the last event are checked. */
const DAYS_AROUND = 3_650;
/** An event that is dated before midnight may be committed after midnight. */
const DAY_SETTLES_WITHIN_MS = 60_000;
const DAY_MS = 86_400_000;
const PROGRESS_EVERY_EVENTS = 100_000;

export interface VerificationOutcome {
  /** The first 1,000 findings. */
  readonly findings: readonly Finding[];
  readonly summary: VerificationSummary;
}

export interface VerificationFiles {
  readonly file: string;
  readonly checkpoints: string;
  readonly jwks: string;
  /** The export is only a part of the log. */
  readonly section: boolean;
}

/** Verifies files without a server. */
export async function verifyFiles(files: VerificationFiles, output: Output): Promise<VerificationOutcome> {
  const input: VerificationInput = {
    events: eventsIn(files.file),
    statements: statementsIn(files.checkpoints),
    readStatement: await createStatementReader(readKeySet(files.jwks)),
    whole: !files.section,
  };
  return collect(input, output);
}

/**
 * Verifies the log of a running deployment: its events against its checkpoints, its pools and its reports.
 * `jwks` is a file with keys that the server no longer publishes.
 */
export async function verifyServer(
  log: ServerLog,
  jwks: string | undefined,
  output: Output,
): Promise<VerificationOutcome> {
  const heads = await log.heads();
  if (!heads.writable) {
    throw new CommandError({
      exitCode: EXIT.refused,
      code: 'log_lags',
      message:
        'The database of this server is a follower, and its log may lag. Verify at the region that grants licenses.',
    });
  }
  const keys = [...(await log.jwks()).keys, ...(jwks === undefined ? [] : readKeySet(jwks).keys)];
  const books = new SeatAccounting(heads.heads.flatMap(accountOf));
  const outcome = await collect(
    {
      events: eventsAfter(log),
      statements: log.statements(heads.heads),
      readStatement: await createStatementReader({ keys }),
      whole: true,
      overdue: { nowMs: Date.parse(heads.at), afterMs: OVERDUE_AFTER_MS },
      onEvent: (event) => books.add(event),
    },
    output,
  );
  return withBooks(outcome, books, heads, log);
}

async function* eventsAfter(log: ServerLog): VerificationInput['events'] & AsyncGenerator {
  for await (const event of log.events({})) yield { kind: 'event', event } as const;
}

function accountOf({ chain, seq, seatsTaken, seatsTakenByLog }: HeadsView['heads'][number]) {
  return seatsTaken === null || seatsTakenByLog === null ? [] : [{ chain, seq, seatsTaken, seatsTakenByLog }];
}

async function withBooks(
  { findings, summary }: VerificationOutcome,
  books: SeatAccounting,
  { at }: HeadsView,
  log: ServerLog,
): Promise<VerificationOutcome> {
  const record = books.days ? await readRecord(log, books.days) : { usage: [], denials: [] };
  const firstOpenDay = new Date(Date.parse(at) - DAY_SETTLES_WITHIN_MS).toISOString().slice(0, 10);
  const disagreements = books.check(record, firstOpenDay);
  return {
    findings: [...findings, ...disagreements].slice(0, FINDINGS_KEPT_MAX),
    summary: { ...summary, findings: summary.findings + disagreements.length },
  };
}

async function readRecord(log: ServerLog, days: Days): Promise<DailyRecords> {
  const usage: DayAccount[] = [];
  const denials: DenialsAccount[] = [];
  for (const { first, last } of yearsOf(days)) {
    const year = await log.usage(first, last);
    for (const { chain, day, seatsPeak } of year.usage) usage.push({ chain, day, seatsPeak });
    denials.push(...(await log.denials(first, last)).denials);
  }
  const before = await log.denials(dayAfter(days.first, -DAYS_AROUND), dayAfter(days.first, -1));
  const after = await log.denials(dayAfter(days.last, 1), dayAfter(days.last, DAYS_AROUND));
  return { usage, denials: [...denials, ...before.denials, ...after.denials] };
}

/** An inclusive range of days, formatted as 2026-11-22. */
interface Days {
  readonly first: string;
  readonly last: string;
}

/** Splits a range into years, the longest range of one report. */
export function yearsOf({ first, last }: Days): Days[] {
  const years: Days[] = [];
  for (let from = first; from <= last; ) {
    const end = dayAfter(from, USAGE_DAYS - 1);
    years.push({ first: from, last: end < last ? end : last });
    from = dayAfter(end, 1);
  }
  return years;
}

function dayAfter(day: string, days: number): string {
  return new Date(Date.parse(day) + days * DAY_MS).toISOString().slice(0, 10);
}

async function collect(input: VerificationInput, output: Output): Promise<VerificationOutcome> {
  let events = 0;
  const run = verifyLog({
    ...input,
    onEvent: (event) => {
      input.onEvent?.(event);
      events += 1;
      if (events % PROGRESS_EVERY_EVENTS === 0) output.progress(`${events} events verified, at ${event.chain}`);
    },
  });
  const findings: Finding[] = [];
  for (;;) {
    const next = await run.next();
    if (!next.done) {
      if (findings.length < FINDINGS_KEPT_MAX) findings.push(next.value);
      continue;
    }
    const nothing = next.value.events === 0 && next.value.findings === 0;
    if (nothing) findings.push(finding('unreadable', '', null, 'the log has no events'));
    return { findings, summary: { ...next.value, findings: next.value.findings + (nothing ? 1 : 0) } };
  }
}
