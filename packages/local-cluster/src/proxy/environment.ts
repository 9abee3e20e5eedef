import { readFileSync } from 'node:fs';
import { EnvironmentReader, type Variables } from '@evergrant/core/environment/environment-reader';
import type { Variable } from '@evergrant/core/environment/variables';

/** Variables of the local cluster's processes, besides the types of `@evergrant/core/environment`. */

export function createEnvironmentReader(variables: Variables): EnvironmentReader {
  return new EnvironmentReader(variables, { readFile: (path) => readFileSync(path, 'utf8') });
}

export interface NamedUrl {
  readonly name: string;
  readonly url: string;
}

export interface HostAndPort {
  readonly host: string;
  readonly port: number;
}

/** A JSON object of origins with exactly these keys, for example `{"oregon":"http://127.0.0.1:8081"}`. */
export function originsByName<const K extends string>(name: string, keys: readonly K[]): Variable<Record<K, string>> {
  const description = `a JSON object with an address for each of ${keys.join(', ')}`;
  return {
    name,
    description,
    read: (reader) => {
      const document = readJson(reader, { name, description });
      const entries = keys.map((key): [K, string] => {
        const url = isRecord(document) ? document[key] : undefined;
        if (typeof url === 'string') return [key, reader.httpOrigin(`${name}.${key}`, url)];
        if (document !== undefined) reader.addError(`${name} has no address for ${key}`);
        return [key, ''];
      });
      return Object.fromEntries(entries) as Record<K, string>;
    },
  };
}

/** A JSON list of `{name, url}` with at least one entry and unique names. */
export function namedUrls(name: string): Variable<readonly NamedUrl[]> {
  const description = 'a JSON list of {name, url}';
  return {
    name,
    description,
    read: (reader) => {
      const document = readJson(reader, { name, description });
      if (document === undefined) return [];
      if (!Array.isArray(document) || document.length === 0) {
        reader.addError(`${name} must be a JSON list of {name, url}`);
        return [];
      }
      const entries = document.map((entry: unknown, index) => {
        const { name: entryName, url } = isRecord(entry) ? entry : {};
        if (typeof entryName === 'string' && typeof url === 'string') {
          return { name: entryName, url: reader.httpOrigin(`${name}[${index}].url`, url) };
        }
        reader.addError(`${name}[${index}] must be {name, url}`);
        return { name: '', url: '' };
      });
      if (new Set(entries.map((entry) => entry.name)).size < entries.length) reader.addError(`${name} repeats a name`);
      return entries;
    },
  };
}

/** A JSON object of `{host, port}` with exactly these keys. */
export function hostsByName<const K extends string>(
  name: string,
  keys: readonly K[],
): Variable<Record<K, HostAndPort>> {
  const description = `a JSON object with {host, port} for each of ${keys.join(', ')}`;
  return {
    name,
    description,
    read: (reader) => {
      const document = readJson(reader, { name, description });
      const entries = keys.map((key): [K, HostAndPort] => {
        const address = isRecord(document) ? document[key] : undefined;
        const { host, port } = isRecord(address) ? address : {};
        if (typeof host === 'string' && typeof port === 'number') return [key, { host, port }];
        if (document !== undefined) reader.addError(`${name} has no {host, port} for ${key}`);
        return [key, { host: '', port: 0 }];
      });
      return Object.fromEntries(entries) as Record<K, HostAndPort>;
    },
  };
}

/** One field of the secrets file that the variable names. Errors never quote the content. */
export function secret(fileVariable: string, field: string): Variable<string> {
  const description = 'the path of a JSON file with secrets';
  return {
    name: fileVariable,
    description,
    read: (reader) => {
      const document = reader.jsonFile(fileVariable, { description });
      const value = isRecord(document) ? document[field] : undefined;
      if (typeof value === 'string' && value !== '') return value;
      if (document !== undefined) reader.addError(`${fileVariable}: the file has no ${field}`);
      return '';
    },
  };
}

function readJson(reader: EnvironmentReader, variable: { name: string; description: string }): unknown {
  const text = reader.value(variable.name, variable);
  if (text === undefined) return undefined;
  const document = reader.parseJson(variable.name, text);
  return document.kind === 'valid' ? document.value : undefined;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
