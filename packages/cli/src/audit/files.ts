import { closeSync, createReadStream, openSync, readFileSync } from 'node:fs';
import { eventsOf, linesOf } from '@evergrant/formats/audit/lines';
import type { StoredStatement } from '@evergrant/formats/audit/statement-check';
import type { EventOrNot } from '@evergrant/formats/audit/verification';
import { Type } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import type { JWK } from 'jose';
import { CommandError, EXIT } from '../errors';

/** The events of an export. @throws CommandError when the file cannot be read. */
export function eventsIn(file: string): AsyncIterable<EventOrNot> {
  return eventsOf(bytesOf(file), file);
}

const Statement = Type.Object({
  chain: Type.String(),
  number: Type.Union([Type.Integer(), Type.Null()]),
  jws: Type.String(),
});

/** Statements as `evergrant audit export --checkpoints` writes them. @throws CommandError for anything else. */
export async function* statementsIn(file: string): AsyncGenerator<StoredStatement> {
  let number = 0;
  for await (const { bytes } of linesOf(bytesOf(file))) {
    number += 1;
    const content = parsed(bytes.toString('utf8'));
    if (!Value.Check(Statement, content)) {
      throw unusable(`Line ${number} of ${file} is no checkpoint as "evergrant audit export --checkpoints" writes it.`);
    }
    yield content;
  }
}

/** A JSON Web Key Set. @throws CommandError */
export function jwksIn(file: string): { readonly keys: readonly JWK[] } {
  const content = parsed(opened(file, () => readFileSync(file, 'utf8')));
  if (Value.Check(Type.Object({ keys: Type.Array(Type.Object({})) }), content)) return content as { keys: JWK[] };
  throw unusable(`${file} is no JSON Web Key Set.`);
}

/** Opened at once: a file that is missing is a mistake of the command, not a finding. */
function bytesOf(file: string): AsyncIterable<Buffer> {
  closeSync(opened(file, () => openSync(file, 'r')));
  return createReadStream(file);
}

function opened<T>(file: string, open: () => T): T {
  try {
    return open();
  } catch (error) {
    throw unusable(`${file} cannot be read (${(error as NodeJS.ErrnoException).code}).`);
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function unusable(message: string): CommandError {
  return new CommandError({ exitCode: EXIT.usage, code: 'unusable_file', message });
}
