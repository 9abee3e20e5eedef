import { readFileSync } from 'node:fs';

/** What is wrong with an environment, all of it at once: a person mends everything before the next try. */
export class EnvironmentError extends Error {
  readonly code = 'environment_invalid';
  readonly mistakes: readonly string[];

  constructor(mistakes: readonly string[]) {
    super(`The environment is not usable:\n${mistakes.map((mistake) => `  - ${mistake}`).join('\n')}`);
    this.name = 'EnvironmentError';
    this.mistakes = mistakes;
  }
}

type Variables = Readonly<Record<string, string | undefined>>;

/**
 * Reads an environment once. A reader that finds a mistake notes it and returns a placeholder, so that the next ones
 * are read too; {@link complete} then throws an {@link EnvironmentError} with every mistake, or returns the value.
 */
export class EnvironmentReader {
  readonly #variables: Variables;
  readonly #mistakes: string[] = [];

  constructor(variables: Variables) {
    this.#variables = variables;
  }

  complete<T>(value: T): T {
    if (this.#mistakes.length > 0) throw new EnvironmentError(this.#mistakes);
    return value;
  }

  text(name: string): string {
    const value = this.#variables[name];
    if (value === undefined || value === '') return this.#mistake(`${name} is missing`, '');
    return value;
  }

  optional(name: string): string | undefined {
    return this.#variables[name] || undefined;
  }

  /** Notes what a reader of its own found. */
  mistake(text: string): void {
    this.#mistakes.push(text);
  }

  port(name: string): number {
    const text = this.text(name);
    const port = Number(text);
    if (text !== '' && !(Number.isInteger(port) && port >= 0 && port <= 65_535)) {
      return this.#mistake(`${name} is not a port: ${text}`, 0);
    }
    return port;
  }

  oneOf<const T extends string>(name: string, allowed: readonly T[], byDefault?: T): T {
    const value = this.#variables[name] ?? byDefault;
    const match = allowed.find((candidate) => candidate === value);
    if (match !== undefined) return match;
    const given = value === undefined ? 'missing' : `'${value}'`;
    return this.#mistake(`${name} is ${given}; it is one of ${allowed.join(', ')}`, allowed[0] as T);
  }

  url(name: string): string {
    const text = this.text(name);
    return text === '' ? text : this.#asOrigin(name, text);
  }

  /** A JSON object of origins by name, for example `{"oregon":"http://127.0.0.1:8081"}`, with exactly these keys. */
  urlsByName<const K extends string>(name: string, keys: readonly K[]): Record<K, string> {
    const parsed = this.#json(name);
    const entries = keys.map((key): [K, string] => {
      const url = isRecord(parsed) ? parsed[key] : undefined;
      if (typeof url === 'string') return [key, this.#asOrigin(`${name}.${key}`, url)];
      if (parsed !== undefined) this.#mistakes.push(`${name} has no address for ${key}`);
      return [key, ''];
    });
    return Object.fromEntries(entries) as Record<K, string>;
  }

  /** A JSON list of `{name, url}`, at least one, each name once. */
  namedUrls(name: string): readonly { name: string; url: string }[] {
    const parsed = this.#json(name);
    if (parsed === undefined) return [];
    if (!Array.isArray(parsed) || parsed.length === 0) return this.#mistake(`${name} is not a list of {name, url}`, []);
    const named = parsed.map((entry: unknown, index) => {
      const { name: entryName, url } = isRecord(entry) ? entry : {};
      if (typeof entryName === 'string' && typeof url === 'string') {
        return { name: entryName, url: this.#asOrigin(`${name}[${index}].url`, url) };
      }
      return this.#mistake(`${name}[${index}] is not {name, url}`, { name: '', url: '' });
    });
    const names = new Set(named.map((entry) => entry.name));
    if (names.size < named.length) this.#mistakes.push(`${name} uses a name twice`);
    return named;
  }

  /** A JSON object of `{host, port}` by name, with exactly these keys. */
  addressesByName<const K extends string>(name: string, keys: readonly K[]): Record<K, { host: string; port: number }> {
    const parsed = this.#json(name);
    const entries = keys.map((key): [K, { host: string; port: number }] => {
      const address = isRecord(parsed) ? parsed[key] : undefined;
      const { host, port } = isRecord(address) ? address : {};
      if (typeof host === 'string' && typeof port === 'number') return [key, { host, port }];
      if (parsed !== undefined) this.#mistakes.push(`${name} has no {host, port} for ${key}`);
      return [key, { host: '', port: 0 }];
    });
    return Object.fromEntries(entries) as Record<K, { host: string; port: number }>;
  }

  /** A member of the secrets file, whose path is in the variable. The value itself is never part of a message. */
  secret(fileVariable: string, member: string): string {
    const file = this.text(fileVariable);
    if (file === '') return '';
    try {
      const parsed: unknown = JSON.parse(readFileSync(file, 'utf8'));
      const value = isRecord(parsed) ? parsed[member] : undefined;
      if (typeof value === 'string' && value !== '') return value;
      return this.#mistake(`${fileVariable}: ${file} has no ${member}`, '');
    } catch (error) {
      // A parser's message quotes what it read, which is secret here: the kind of error is enough.
      const code = (error as NodeJS.ErrnoException).code ?? 'it is not JSON';
      return this.#mistake(`${fileVariable}: ${file} cannot be read (${code})`, '');
    }
  }

  #json(name: string): unknown {
    const text = this.text(name);
    if (text === '') return undefined;
    try {
      return JSON.parse(text);
    } catch {
      return this.#mistake(`${name} is not JSON`, undefined);
    }
  }

  #asOrigin(label: string, text: string): string {
    const url = URL.canParse(text) ? new URL(text) : undefined;
    if (url?.protocol === 'http:' || url?.protocol === 'https:') return url.origin;
    return this.#mistake(`${label} is not an http address: ${text}`, '');
  }

  #mistake<T>(text: string, placeholder: T): T {
    this.#mistakes.push(text);
    return placeholder;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
