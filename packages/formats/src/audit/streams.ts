import { Readable } from 'node:stream';
import { stringify } from 'csv-stringify';
import { type AuditEvent, lineOf } from './event';

/** JSON Lines: exactly what `evergrant audit verify` reads. */
export function toJsonLines(events: AsyncIterable<AuditEvent>): Readable {
  return Readable.from(linesOf(events));
}

async function* linesOf(events: AsyncIterable<AuditEvent>): AsyncGenerator<string> {
  for await (const event of events) yield `${lineOf(event)}\n`;
}

const OF_EVENT = ['chain', 'seq', 'epoch', 'era', 'at', 'kind', 'actor'] as const;
const OF_BODY = ['lease', 'holder', 'seats', 'seatsTaken', 'controlRoom', 'code', 'because', 'reason'] as const;

/**
 * For spreadsheets: the members of the body that most events have in columns of their own. A cell that a spreadsheet
 * would take for a formula is written as text, so what stands here cannot be verified any more.
 */
export function toCsv(events: AsyncIterable<AuditEvent>): Readable {
  const columns = [...OF_EVENT, ...OF_BODY, 'body', 'previousHash', 'hash'];
  const csv = stringify({ header: true, columns, escape_formulas: true });
  const source = Readable.from(rowsOf(events));
  source.on('error', (error) => csv.destroy(error));
  csv.on('close', () => source.destroy());
  return source.pipe(csv);
}

async function* rowsOf(events: AsyncIterable<AuditEvent>): AsyncGenerator<Record<string, unknown>> {
  for await (const event of events) {
    const body = JSON.parse(event.body) as Record<string, unknown>;
    yield { ...Object.fromEntries(OF_BODY.map((name) => [name, body[name]])), ...event };
  }
}
