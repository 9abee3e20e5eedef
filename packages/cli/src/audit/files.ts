import { closeSync, createReadStream, openSync } from 'node:fs';
import { eventsOf, linesOf } from '@evergrant/formats/audit/lines';
import type { StoredStatement } from '@evergrant/formats/audit/statement-check';
import type { ExportLine } from '@evergrant/formats/audit/verification';
import { Type } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import { unusableFile } from '../files';

/** Reads the events of an export. @throws CommandError when the file cannot be read */
export function eventsIn(file: string): AsyncIterable<ExportLine> {
  return eventsOf(bytesOf(file), file);
}

const Statement = Type.Object({
  chain: Type.String(),
  number: Type.Union([Type.Integer(), Type.Null()]),
  jws: Type.String(),
});

/** Reads statements as written by `evergrant audit export --checkpoints`. @throws CommandError for other content */
export async function* statementsIn(file: string): AsyncGenerator<StoredStatement> {
  let number = 0;
  for await (const { bytes } of linesOf(bytesOf(file))) {
    number += 1;
    const content = parsed(bytes.toString('utf8'));
    if (!Value.Check(Statement, content)) {
      throw unusableFile(
        `Line ${number} of ${file} is not a checkpoint as written by "evergrant audit export --checkpoints".`,
      );
    }
    yield content;
  }
}

/** Opens the file immediately, so that a missing file is a usage error and not a finding. */
function bytesOf(file: string): AsyncIterable<Buffer> {
  closeSync(opened(file, () => openSync(file, 'r')));
  return createReadStream(file);
}

function opened<T>(file: string, open: () => T): T {
  try {
    return open();
  } catch (error) {
    throw unusableFile(`${file} cannot be read (${(error as NodeJS.ErrnoException).code}).`);
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
