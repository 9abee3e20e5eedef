import type { EnvironmentReader } from './environment-reader';

/** One declared variable. `read` returns its value, or adds a validation error and returns a placeholder. */
export interface Variable<T> {
  readonly name: string;
  /** What the value is, for the operator who has to set it. */
  readonly description: string;
  read(reader: EnvironmentReader): T;
}

interface Declaration {
  readonly description: string;
}

/** A text. Without `default` it is required. */
export function text(name: string, declared: Declaration & { readonly default?: string }): Variable<string> {
  return { name, ...declared, read: (reader) => reader.value(name, declared) ?? '' };
}

/** A text that may be absent. An empty variable counts as absent. */
export function optionalText(name: string, declared: Declaration): Variable<string | undefined> {
  return { name, ...declared, read: (reader) => reader.optional(name) };
}

interface Range extends Declaration {
  readonly min: number;
  readonly max: number;
}

/** A whole number of a closed range. Without `default` it is required. */
export function integer(name: string, declared: Range & { readonly default?: number }): Variable<number> {
  const { description, default: fallback } = declared;
  const options = fallback === undefined ? { description } : { description, default: String(fallback) };
  return { name, description, read: (reader) => parseInteger(reader, name, reader.value(name, options), declared) };
}

export function optionalInteger(name: string, declared: Range): Variable<number | undefined> {
  return {
    name,
    description: declared.description,
    read: (reader) => {
      const value = reader.optional(name);
      return value === undefined ? undefined : parseInteger(reader, name, value, declared);
    },
  };
}

/** A TCP port; 0 lets the system choose one. */
export function port(name: string, { min = 0, ...declared }: Declaration & { readonly min?: 0 | 1 }): Variable<number> {
  return integer(name, { ...declared, min, max: 65_535 });
}

/** One of several words. Without `default` it is required. */
export function oneOf<const T extends string>(
  name: string,
  declared: Declaration & { readonly values: readonly [T, ...T[]]; readonly default?: T },
): Variable<T> {
  const { values, description } = declared;
  return {
    name,
    description,
    read: (reader) => {
      const value = reader.value(name, declared);
      const match = values.find((candidate) => candidate === value);
      if (match !== undefined) return match;
      if (value !== undefined) reader.addError(`${name} must be one of ${values.join(', ')}, not "${value}"`);
      return values[0];
    },
  };
}

/** The origin of an http or https address, without a trailing slash. */
export function httpOrigin(name: string, declared: Declaration): Variable<string> {
  return {
    name,
    ...declared,
    read: (reader) => {
      const value = reader.value(name, declared);
      return value === undefined ? '' : reader.httpOrigin(name, value);
    },
  };
}

export type Parsed<T> =
  | { readonly kind: 'valid'; readonly value: T }
  /** The errors are phrases that follow the name of the variable, for example `must be a JSON list of paths`. */
  | { readonly kind: 'invalid'; readonly errors: readonly string[] };

export interface JsonDeclaration<T> extends Declaration {
  parse(value: unknown): Parsed<T>;
  /** The value when the variable is absent or invalid. */
  readonly placeholder: T;
  /** @default true */
  readonly required?: boolean;
}

/** A JSON document. */
export function json<T>(name: string, declared: JsonDeclaration<T>): Variable<T> {
  const { description, placeholder, required = true } = declared;
  return {
    name,
    description,
    read: (reader) => {
      const value = required ? reader.value(name, declared) : reader.optional(name);
      if (value === undefined) return placeholder;
      const document = reader.parseJson(name, value);
      if (document.kind === 'invalid') return placeholder;
      const parsed = declared.parse(document.value);
      if (parsed.kind === 'valid') return parsed.value;
      for (const error of parsed.errors) reader.addError(`${name} ${error}`);
      return placeholder;
    },
  };
}

function parseInteger(
  reader: EnvironmentReader,
  name: string,
  value: string | undefined,
  { min, max }: { readonly min: number; readonly max: number },
): number {
  if (value === undefined) return min;
  const number = Number(value);
  if (Number.isInteger(number) && number >= min && number <= max) return number;
  reader.addError(`${name} must be a whole number from ${min} to ${max}, not "${value}"`);
  return min;
}
