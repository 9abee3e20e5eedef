import type { Static, TSchema } from '@sinclair/typebox';
import { Value, type ValueError } from '@sinclair/typebox/value';
import type { ValidationError } from './refusal-codes';

export type Read<T> =
  | { readonly kind: 'read'; readonly value: T }
  | { readonly kind: 'invalid'; readonly errors: readonly ValidationError[] };

/** Schemas here carry `expected`: what the value must be, in words. */
export function parseAs<T extends TSchema>(schema: T, value: unknown): Read<Static<T>> {
  if (Value.Check(schema, value)) return { kind: 'read', value };
  const byPath = new Map<string, ValidationError>();
  for (const error of Value.Errors(schema, value)) {
    const path = error.path.slice(1).replaceAll('/', '.');
    // What is missing has no right type either: the first word on a place is enough.
    if (!byPath.has(path)) byPath.set(path, { path, message: inWords(error) });
  }
  return { kind: 'invalid', errors: [...byPath.values()] };
}

function inWords({ schema, value, message }: ValueError): string {
  const expected: unknown = schema.expected;
  if (schema.not !== undefined || message === 'Unexpected property') return 'is not known here';
  if (typeof expected !== 'string') return `is not right: ${message.toLowerCase()}`;
  return value === undefined ? `is missing: ${expected}` : `must be ${expected}`;
}
