import type { Static, TSchema } from '@sinclair/typebox';
import { Value, type ValueError } from '@sinclair/typebox/value';
import type { Mistake } from './refusal-codes';

export type Read<T> =
  | { readonly kind: 'read'; readonly value: T }
  | { readonly kind: 'mistaken'; readonly mistakes: readonly Mistake[] };

/** Schemas here carry `says`: what the value must be, in words. */
export function readAs<T extends TSchema>(schema: T, value: unknown): Read<Static<T>> {
  if (Value.Check(schema, value)) return { kind: 'read', value };
  const byPath = new Map<string, Mistake>();
  for (const error of Value.Errors(schema, value)) {
    const path = error.path.slice(1).replaceAll('/', '.');
    // What is missing has no right type either: the first word on a place is enough.
    if (!byPath.has(path)) byPath.set(path, { path, message: inWords(error) });
  }
  return { kind: 'mistaken', mistakes: [...byPath.values()] };
}

function inWords({ schema, value, message }: ValueError): string {
  const says: unknown = schema.says;
  if (schema.not !== undefined || message === 'Unexpected property') return 'is not known here';
  if (typeof says !== 'string') return `is not right: ${message.toLowerCase()}`;
  return value === undefined ? `is missing: ${says}` : `must be ${says}`;
}
