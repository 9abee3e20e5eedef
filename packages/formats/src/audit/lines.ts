import { type LineVerdict, readLine } from './event';
import type { ExportLine } from './verification';

const NEWLINE = 0x0a;

export interface Line {
  readonly bytes: Buffer;
  /** False for the bytes after the last newline. */
  readonly ended: boolean;
}

/** Splits a stream of bytes at its newlines only. */
export async function* linesOf(chunks: AsyncIterable<Buffer>): AsyncGenerator<Line> {
  let rest: Buffer[] = [];
  for await (const chunk of chunks) {
    let from = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, from)) {
      yield { bytes: Buffer.concat([...rest, chunk.subarray(from, end)]), ended: true };
      rest = [];
      from = end + 1;
    }
    if (from < chunk.length) rest.push(chunk.subarray(from));
  }
  if (rest.length > 0) yield { bytes: Buffer.concat(rest), ended: false };
}

/** Yields the events of an export. A last line without a newline is unreadable, because the export was cut off. */
export async function* eventsOf(chunks: AsyncIterable<Buffer>, name: string): AsyncGenerator<ExportLine> {
  let number = 0;
  for await (const { bytes, ended } of linesOf(chunks)) {
    number += 1;
    const where = `line ${number} of ${name}`;
    const line = ended
      ? readBytes(bytes)
      : { kind: 'unreadable' as const, reason: 'it has no newline: the export was cut off' };
    yield line.kind === 'event' ? line : { ...line, where };
  }
}

function readBytes(bytes: Buffer): LineVerdict {
  try {
    return readLine(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch {
    return { kind: 'unreadable', reason: 'it is not UTF-8' };
  }
}
