import { table } from '@evergrant/core/text-table';
import type { Command } from 'commander';
import { stringify } from 'csv-stringify/sync';
import { CommandError, EXIT } from '../errors';
import { type OpenServer, type ServerFlags, withServerOptions } from '../license-server-client';
import { createOutput } from '../output';

interface ReportFlags extends ServerFlags {
  readonly csv?: boolean;
  readonly since?: string;
  readonly until?: string;
  readonly at?: string;
}

type Row = Readonly<Record<string, string | number | null>>;

/** The columns of a table for people: what it says above them, and the member of a row. */
type Columns = readonly (readonly [heading: string, member: string])[];

const OF_POOL: Columns = [
  ['license', 'licenseId'],
  ['product', 'product'],
  ['feature', 'feature'],
];

/** `npx evergrant report`: what the audit log says about use. Days and moments are UTC. */
export function addReportCommands(program: Command, openServer: OpenServer): void {
  const reports = program.command('report').description('use, denials and holders, from the audit log');
  withDays(reports.command('usage'))
    .description('peak and average of the seats taken, by pool and day')
    .action(async (_options: unknown, command: Command) =>
      days(openServer, command.optsWithGlobals<ReportFlags>(), 'usage', [
        ['day', 'day'],
        ...OF_POOL,
        ['peak', 'seatsPeak'],
        ['average', 'seatsAverage'],
        ['seats now', 'seats'],
      ]),
    );
  withDays(reports.command('denials'))
    .description('checkouts that were denied, by pool, day and code')
    .action(async (_options: unknown, command: Command) =>
      days(openServer, command.optsWithGlobals<ReportFlags>(), 'denials', [
        ['day', 'day'],
        ...OF_POOL,
        ['code', 'code'],
        ['denials', 'denials'],
        ['seats asked', 'seatsAsked'],
      ]),
    );
  withServerOptions(reports.command('holders'))
    .description('who held what at a moment')
    .option('--at <moment>', 'ISO 8601; now by default')
    .option('--csv', 'as CSV, for spreadsheets')
    .action(async (_options: unknown, command: Command) => holders(openServer, command.optsWithGlobals<ReportFlags>()));
}

function withDays(command: Command): Command {
  return withServerOptions(command)
    .option('--since <day>', 'the first day, as 2026-11-22; 29 days before the last by default')
    .option('--until <day>', 'the last day; today by default')
    .option('--csv', 'as CSV, for spreadsheets');
}

async function days(
  openServer: OpenServer,
  flags: ReportFlags,
  report: 'usage' | 'denials',
  columns: Columns,
): Promise<void> {
  const query = new URLSearchParams();
  if (flags.since !== undefined) query.set('since', flags.since);
  if (flags.until !== undefined) query.set('until', flags.until);
  const answer = await openServer(flags).call<Record<string, unknown>>('GET', `/v1/reports/${report}?${query}`);
  print(flags, { document: answer, rows: answer[report] as Row[], columns });
}

async function holders(openServer: OpenServer, flags: ReportFlags): Promise<void> {
  const query = flags.at === undefined ? '' : `?at=${encodeURIComponent(flags.at)}`;
  const rows = await openServer(flags).listAll<Row>(`/v1/reports/holders${query}`, 'holders');
  const columns: Columns = [
    ...OF_POOL,
    ['holder', 'holder'],
    ['seats', 'seats'],
    ['control room', 'controlRoom'],
    ['from', 'from'],
    ['until', 'until'],
    ['lease', 'leaseId'],
  ];
  print(flags, { document: { at: flags.at ?? null, holders: rows }, rows, columns });
}

function print(
  flags: ReportFlags,
  { document, rows, columns }: { document: unknown; rows: readonly Row[]; columns: Columns },
): void {
  if (flags.csv && flags.json) {
    throw new CommandError({ exitCode: EXIT.usage, code: 'usage', message: 'Either --json or --csv.' });
  }
  if (flags.csv) {
    const members = [...new Set([...columns.map(([, member]) => member), ...Object.keys(rows[0] ?? {})])];
    // A cell that a spreadsheet would take for a formula is written as text.
    process.stdout.write(stringify([...rows], { header: true, columns: members, escape_formulas: true }));
    return;
  }
  const output = createOutput(flags.json === true);
  output.document(document);
  if (rows.length === 0) output.line('There is nothing to report.');
  else
    output.line(
      table([
        columns.map(([heading]) => heading),
        ...rows.map((row) => columns.map(([, member]) => cell(row[member]))),
      ]),
    );
}

function cell(value: string | number | null | undefined): string {
  return value === null || value === undefined ? '-' : String(value);
}
