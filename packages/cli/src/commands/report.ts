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

/** Table columns: heading and member of a row. */
type Columns = readonly (readonly [heading: string, member: string])[];

const OF_POOL: Columns = [
  ['license', 'licenseId'],
  ['product', 'product'],
  ['feature', 'feature'],
];

/** `npx evergrant report`: reports from the audit log. Days and instants are UTC. */
export function addReportCommands(program: Command, openServer: OpenServer): void {
  const reports = program.command('report').description('usage, denials and holders, from the audit log');
  withDays(reports.command('usage'))
    .description('peak and average of used seats, by pool and day')
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
    .description('denied checkouts, by pool, day and code')
    .action(async (_options: unknown, command: Command) =>
      days(openServer, command.optsWithGlobals<ReportFlags>(), 'denials', [
        ['day', 'day'],
        ...OF_POOL,
        ['code', 'code'],
        ['denials', 'denials'],
        ['seats requested', 'seatsAsked'],
      ]),
    );
  withServerOptions(reports.command('holders'))
    .description('leases held at an instant')
    .option('--at <instant>', 'ISO 8601 (default: now)')
    .option('--csv', 'print CSV for spreadsheets')
    .action(async (_options: unknown, command: Command) => holders(openServer, command.optsWithGlobals<ReportFlags>()));
}

function withDays(command: Command): Command {
  return withServerOptions(command)
    .option('--since <day>', 'first day, for example 2026-11-22 (default: 29 days before the last)')
    .option('--until <day>', 'last day (default: today)')
    .option('--csv', 'print CSV for spreadsheets');
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
    throw new CommandError({ exitCode: EXIT.usage, code: 'usage', message: 'Use either --json or --csv.' });
  }
  if (flags.csv) {
    const members = [...new Set([...columns.map(([, member]) => member), ...Object.keys(rows[0] ?? {})])];
    // Cells that a spreadsheet would run as a formula are escaped.
    process.stdout.write(stringify([...rows], { header: true, columns: members, escape_formulas: true }));
    return;
  }
  const output = createOutput(flags.json === true);
  output.document(document);
  if (rows.length === 0) output.line('The report is empty.');
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
