import { Readable } from 'node:stream';
import { stringify } from 'csv-stringify';
import { type AuditEvent, lineOf } from './event';

/** JSON Lines, the input format of `evergrant audit verify`. */
export function toJsonLines(events: AsyncIterable<AuditEvent>): Readable {
  return Readable.from(linesOf(events));
}

async function* linesOf(events: AsyncIterable<AuditEvent>): AsyncGenerator<string> {
  for await (const event of events) yield `${lineOf(event)}\n`;
}

const EVENT_COLUMNS = ['chain', 'seq', 'epoch', 'era', 'at', 'kind', 'actor'] as const;
const BODY_COLUMNS = ['lease', 'holder', 'seats', 'seatsTaken', 'controlRoom', 'code', 'because', 'reason'] as const;

/**
 * CSV for spreadsheets. The most frequent fields of the body have columns of their own. A cell that a spreadsheet would
 * interpret as a formula is escaped, so the CSV cannot be verified.
 */
export function toCsv(events: AsyncIterable<AuditEvent>): Readable {
  const columns = [...EVENT_COLUMNS, ...BODY_COLUMNS, 'body', 'previousHash', 'hash'];
  const csv = stringify({ header: true, columns, escape_formulas: true });
  const source = Readable.from(rowsOf(events));
  source.on('error', (error) => csv.destroy(error));
  csv.on('close', () => source.destroy());
  return source.pipe(csv);
}

async function* rowsOf(events: AsyncIterable<AuditEvent>): AsyncGenerator<Record<string, unknown>> {
  for await (const event of events) {
    const body = JSON.parse(event.body) as Record<string, unknown>;
    yield { ...Object.fromEntries(BODY_COLUMNS.map((name) => [name, body[name]])), ...event };
  }
}
