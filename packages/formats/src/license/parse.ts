import type { Static, TSchema } from '@sinclair/typebox';
import { Value, type ValueError } from '@sinclair/typebox/value';
import type { ValidationError } from './refusal-codes';

export type Read<T> =
  | { readonly kind: 'read'; readonly value: T }
  | { readonly kind: 'invalid'; readonly errors: readonly ValidationError[] };

/** Schemas carry `expected`: a description of the valid values for error messages. */
export function parseAs<T extends TSchema>(schema: T, value: unknown): Read<Static<T>> {
  if (Value.Check(schema, value)) return { kind: 'read', value };
  const byPath = new Map<string, ValidationError>();
  for (const error of Value.Errors(schema, value)) {
    const path = error.path.slice(1).replaceAll('/', '.');
    // A missing value also has a wrong type; one error per path is enough.
    if (!byPath.has(path)) byPath.set(path, { path, message: messageOf(error) });
  }
  return { kind: 'invalid', errors: [...byPath.values()] };
}

function messageOf({ schema, value, message }: ValueError): string {
  const expected: unknown = schema.expected;
  if (schema.not !== undefined || message === 'Unexpected property') return 'is an unknown property';
  if (typeof expected !== 'string') return `is invalid: ${message.toLowerCase()}`;
  return value === undefined ? `is missing; it must be ${expected}` : `must be ${expected}`;
}
