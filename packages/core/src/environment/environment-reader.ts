import { EnvironmentError } from './environment-error';
import type { Variable } from './variables';

export type Variables = Readonly<Record<string, string | undefined>>;

/** Reads a text file, and throws an error with a `code` when the file cannot be read. */
export type ReadFile = (path: string) => string;

/** Declared variables by the field of the result that they fill. */
export type EnvironmentSchema = Readonly<Record<string, Variable<unknown>>>;

export type EnvironmentValues<S extends EnvironmentSchema> = {
  readonly [Field in keyof S]: S[Field] extends Variable<infer Value> ? Value : never;
};

type JsonDocument = { readonly kind: 'valid'; readonly value: unknown } | { readonly kind: 'invalid' };

/**
 * Reads an environment once. A variable that is not valid adds an error and yields a placeholder, so that the remaining
 * variables are checked too. `complete` raises an `EnvironmentError` with all errors, or returns the value.
 */
export class EnvironmentReader {
  readonly #variables: Variables;
  readonly #readFile: ReadFile | undefined;
  readonly #errors: string[] = [];

  constructor(variables: Variables, options: { readonly readFile?: ReadFile } = {}) {
    this.#variables = variables;
    this.#readFile = options.readFile;
  }

  /** Reads every variable of a schema. */
  readAll<S extends EnvironmentSchema>(schema: S): EnvironmentValues<S> {
    const values = Object.entries(schema).map(([field, variable]) => [field, variable.read(this)] as const);
    return Object.fromEntries(values) as EnvironmentValues<S>;
  }

  read<T>(variable: Variable<T>): T {
    return variable.read(this);
  }

  /** The value, the default, or undefined after an error. An empty variable counts as absent. */
  value(name: string, declared: { readonly description: string; readonly default?: string }): string | undefined {
    const value = this.#variables[name] || declared.default;
    if (value === undefined) this.addError(`${name} is missing: set it to ${declared.description}`);
    return value;
  }

  optional(name: string): string | undefined {
    return this.#variables[name] || undefined;
  }

  parseJson(name: string, value: string): JsonDocument {
    try {
      return { kind: 'valid', value: JSON.parse(value) };
    } catch {
      this.addError(`${name} is not JSON`);
      return { kind: 'invalid' };
    }
  }

  /**
   * Reads the JSON document in the file that the variable names. A variable of the same name without `_FILE` may hold the
   * document itself, as container services inject it. Error messages never quote the content, because it may be secret.
   */
  jsonFile(name: string, declared: { readonly description: string }): unknown {
    const injected = this.optional(name.replace(/_FILE$/, ''));
    if (injected !== undefined) return this.#documentOf(name.replace(/_FILE$/, ''), injected);
    const path = this.value(name, declared);
    const content = path === undefined ? undefined : this.textFile(name, path);
    return content === undefined ? undefined : this.#documentOf(`${name}: ${path}`, content);
  }

  /** The content of a file, or undefined after an error. */
  textFile(name: string, path: string): string | undefined {
    try {
      if (this.#readFile === undefined) throw new Error('files are not supported here');
      return this.#readFile(path);
    } catch (error) {
      const { code } = error as { code?: unknown };
      this.addError(`${name}: ${path} cannot be read (${code ?? (error as Error).message})`);
      return undefined;
    }
  }

  httpOrigin(label: string, value: string): string {
    const url = URL.canParse(value) ? new URL(value) : undefined;
    if (url?.protocol === 'http:' || url?.protocol === 'https:') return url.origin;
    this.addError(`${label} must be an http or https address, not "${value}"`);
    return '';
  }

  /** Adds an error that a check outside of the schema found, for example a relation between two variables. */
  addError(text: string): void {
    this.#errors.push(text);
  }

  /** @throws EnvironmentError with every error */
  complete<T>(value: T): T {
    if (this.#errors.length > 0) throw new EnvironmentError(this.#errors);
    return value;
  }

  #documentOf(label: string, content: string): unknown {
    const document = this.parseJson(label, content);
    return document.kind === 'valid' ? document.value : undefined;
  }
}
