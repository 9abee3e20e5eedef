import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import type { SigningKey } from '../platform/jws';
import type { DatabaseAddress } from '../platform/postgres/connection';
import { type Licensing, readLicensing } from './licensing';
import { readDatabaseCa, readSecurity, type Security } from './security';

/** All mistakes of an environment at once, so that nobody mends them one by one. */
export class EnvironmentError extends Error {
  readonly code = 'environment';
  readonly retryable = false;
  readonly mistakes: readonly string[];

  constructor(mistakes: readonly string[]) {
    super(`the environment is not usable:\n${mistakes.map((mistake) => `  - ${mistake}`).join('\n')}`);
    this.mistakes = mistakes;
  }
}

export interface ServerEnvironment {
  readonly region: string;
  readonly server: string;
  readonly host: string;
  readonly port: number;
  readonly database: DatabaseAddress;
  /** A PostgreSQL, or a DynamoDB global table as seen from an AWS region. */
  readonly authority: DatabaseAddress | DynamoAuthority;
  /** How the other region's follower calls itself where it follows; a pattern of SQL's LIKE. */
  readonly followerName?: string | undefined;
  readonly signingKeys: readonly SigningKey[];
  readonly licensing: Licensing;
  /** Where clients reach this very server. @default where it listens */
  readonly address?: string | undefined;
  readonly security: Security;
  /** The public or regional address of each region, by its name. */
  readonly regionAddresses: Readonly<Record<string, string>>;
  readonly authorityLeaseMs: number;
  readonly renewalEveryMs: number;
  readonly skewMs: number;
  /** How often the audit log is signed and stored away, when something changed. */
  readonly checkpointEveryMs: number;
  /** Grants cease to wait for a follower that has been gone for so long (S6). 0: never. */
  readonly unprotectedAfterMs: number;
  readonly logLevel: string;
  /** How often the server's numbers are written into its log. @default never */
  readonly logMetricsEveryMs?: number | undefined;
}

export interface DynamoAuthority {
  readonly table: string;
  readonly awsRegion: string;
}

export interface MigrationEnvironment {
  readonly database: DatabaseAddress;
  readonly licensing: Licensing;
  /** Paths of license files, imported in this order. */
  readonly licenseFiles: readonly string[];
  /** Roles to be made, or to be given this password, by their names. */
  readonly rolePasswords: Readonly<Record<string, string>>;
  readonly tokensFile: string | undefined;
  /** The token of an administrator, where a container service injects it: the first one, which makes the others. */
  readonly administratorToken: string | undefined;
}

type Variables = Readonly<Record<string, string | undefined>>;

/** Reads variables and remembers what is wrong with them; `finish` throws if anything was. */
export class VariableReader {
  readonly #variables: Variables;
  readonly #mistakes: string[] = [];

  constructor(variables: Variables) {
    this.#variables = variables;
  }

  text(name: string, fallback?: string): string {
    const value = this.#variables[name] || fallback;
    if (value === undefined) this.mistake(`${name} is missing`);
    return value ?? '';
  }

  optional(name: string): string | undefined {
    return this.#variables[name] || undefined;
  }

  integer(name: string, { min, max, fallback }: { min: number; max: number; fallback?: number }): number {
    const text = this.text(name, fallback?.toString());
    const value = Number(text);
    if (text !== '' && !(Number.isInteger(value) && value >= min && value <= max)) {
      this.mistake(`${name} must be a whole number from ${min} to ${max}, not "${text}"`);
    }
    return value;
  }

  json(name: string): unknown {
    const text = this.text(name);
    try {
      return text === '' ? undefined : JSON.parse(text);
    } catch {
      this.mistake(`${name} is not JSON`);
      return undefined;
    }
  }

  /**
   * The JSON in the file that a variable names, or, where a container service injects it, in the variable that is named
   * alike without `_FILE`. The mistake never quotes the content: it may be secret.
   */
  jsonFile(name: string): unknown {
    const injected = name.replace(/_FILE$/, '');
    if (this.#variables[injected]) return this.json(injected);
    const path = this.text(name);
    try {
      return path === '' ? undefined : JSON.parse(readFileSync(path, 'utf8'));
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      this.mistake(`${name}: ${path} ${code ? `cannot be read (${code})` : 'is not JSON'}`);
      return undefined;
    }
  }

  database(prefix: string, password: string): DatabaseAddress {
    const host = this.text(`${prefix}_HOST`);
    const ca = readDatabaseCa(this, prefix, host);
    return {
      host,
      ...(ca === undefined ? {} : { ca }),
      port: this.integer(`${prefix}_PORT`, { min: 1, max: 65_535 }),
      name: this.text(`${prefix}_NAME`),
      user: this.text(`${prefix}_USER`),
      password,
    };
  }

  mistake(text: string): void {
    this.#mistakes.push(text);
  }

  finish(): void {
    if (this.#mistakes.length > 0) throw new EnvironmentError(this.#mistakes);
  }
}

export const TOKEN_LENGTH_MIN = 16;
const HOUR_MS = 3_600_000;
const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'];

/** Throws `EnvironmentError` with every mistake. */
export async function readServerEnvironment(variables: Variables): Promise<ServerEnvironment> {
  const read = new VariableReader(variables);
  const secrets = asRecord(read.jsonFile('EVERGRANT_SECRETS_FILE'));
  const host = read.text('EVERGRANT_HOST', '127.0.0.1');
  const environment: ServerEnvironment = {
    region: read.text('EVERGRANT_REGION'),
    // Where servers come and go by themselves, each is called after its host.
    server: read.text('EVERGRANT_SERVER', `${read.optional('EVERGRANT_REGION')}/${hostname()}`),
    host,
    port: read.integer('EVERGRANT_PORT_LISTEN', { min: 0, max: 65_535 }),
    address: address(read),
    database: read.database('EVERGRANT_DATABASE', secretText(read, secrets, 'databasePassword')),
    authority: authority(read, secrets),
    followerName: read.optional('EVERGRANT_FOLLOWER_NAME'),
    signingKeys: signingKeys(read, secrets),
    licensing: await readLicensing(read, secrets.deploymentKeys),
    security: readSecurity(read, host),
    regionAddresses: regionAddresses(read),
    authorityLeaseMs: read.integer('EVERGRANT_AUTHORITY_LEASE_MS', { min: 1, max: HOUR_MS }),
    renewalEveryMs: read.integer('EVERGRANT_RENEWAL_EVERY_MS', { min: 1, max: HOUR_MS }),
    skewMs: read.integer('EVERGRANT_SKEW_MS', { min: 0, max: HOUR_MS }),
    checkpointEveryMs: read.integer('EVERGRANT_CHECKPOINT_EVERY_MS', { min: 100, max: HOUR_MS, fallback: 10_000 }),
    unprotectedAfterMs: read.integer('EVERGRANT_UNPROTECTED_AFTER_MS', { min: 0, max: HOUR_MS, fallback: 60_000 }),
    logLevel: read.text('EVERGRANT_LOG_LEVEL', 'info'),
    logMetricsEveryMs:
      read.optional('EVERGRANT_LOG_METRICS_EVERY_MS') === undefined
        ? undefined
        : read.integer('EVERGRANT_LOG_METRICS_EVERY_MS', { min: 1_000, max: HOUR_MS }),
  };
  if (!LOG_LEVELS.includes(environment.logLevel))
    read.mistake(`EVERGRANT_LOG_LEVEL must be one of ${LOG_LEVELS.join(', ')}`);
  if (environment.renewalEveryMs >= environment.authorityLeaseMs) {
    read.mistake('EVERGRANT_RENEWAL_EVERY_MS must be shorter than EVERGRANT_AUTHORITY_LEASE_MS');
  }
  if (environment.region && !(environment.region in environment.regionAddresses)) {
    read.mistake(`EVERGRANT_REGION_ADDRESSES has no address for ${environment.region}`);
  }
  read.finish();
  return environment;
}

/** The owner's environment. Throws `EnvironmentError` with every mistake. */
export async function readMigrationEnvironment(variables: Variables): Promise<MigrationEnvironment> {
  const read = new VariableReader(variables);
  const secrets = asRecord(read.jsonFile('EVERGRANT_SECRETS_FILE'));
  const environment: MigrationEnvironment = {
    database: read.database('EVERGRANT_DATABASE', secretText(read, secrets, 'databasePassword')),
    licensing: await readLicensing(read, secrets.deploymentKeys),
    licenseFiles: licenseFiles(read),
    rolePasswords: rolePasswords(read),
    tokensFile: read.optional('EVERGRANT_TOKENS_FILE'),
    administratorToken: read.optional('EVERGRANT_ADMINISTRATOR_TOKEN'),
  };
  const { administratorToken } = environment;
  if (administratorToken !== undefined && administratorToken.length < TOKEN_LENGTH_MIN) {
    read.mistake(`EVERGRANT_ADMINISTRATOR_TOKEN must have at least ${TOKEN_LENGTH_MIN} characters`);
  }
  read.finish();
  return environment;
}

function licenseFiles(read: VariableReader): string[] {
  const paths = read.optional('EVERGRANT_LICENSE_FILES') === undefined ? [] : read.json('EVERGRANT_LICENSE_FILES');
  const usable = Array.isArray(paths) && paths.every((path) => typeof path === 'string' && path !== '');
  if (!usable) read.mistake('EVERGRANT_LICENSE_FILES must be a JSON list of paths');
  return usable ? paths : [];
}

function authority(read: VariableReader, secrets: Record<string, unknown>): DatabaseAddress | DynamoAuthority {
  const table = read.optional('EVERGRANT_AUTHORITY_TABLE');
  if (table !== undefined) return { table, awsRegion: read.text('EVERGRANT_AUTHORITY_AWS_REGION') };
  return read.database('EVERGRANT_AUTHORITY', secretText(read, secrets, 'authorityPassword'));
}

function rolePasswords(read: VariableReader): Record<string, string> {
  const passwords: Record<string, string> = {};
  for (const role of ['evergrant_server', 'evergrant_controller']) {
    const password = read.optional(`${role.toUpperCase()}_PASSWORD`);
    if (password !== undefined) passwords[role] = password;
  }
  return passwords;
}

function asRecord(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function secretText(read: VariableReader, secrets: Record<string, unknown>, name: string): string {
  const value = secrets[name];
  if (typeof value === 'string' && value !== '') return value;
  read.mistake(`EVERGRANT_SECRETS_FILE: ${name} is missing`);
  return '';
}

function signingKeys(read: VariableReader, secrets: Record<string, unknown>): SigningKey[] {
  const keys = asRecord(secrets.signingKeys).keys;
  const usable = Array.isArray(keys) && keys.length > 0 && keys.every(isSigningKey);
  if (!usable)
    read.mistake('EVERGRANT_SECRETS_FILE: signingKeys.keys must be private Ed25519 JSON Web Keys with a kid');
  return usable ? keys : [];
}

function isSigningKey(value: unknown): value is SigningKey {
  const { kty, crv, kid, x, d } = asRecord(value);
  return kty === 'OKP' && crv === 'Ed25519' && [kid, x, d].every((part) => typeof part === 'string' && part !== '');
}

function address(read: VariableReader): string | undefined {
  const text = read.optional('EVERGRANT_ADDRESS');
  if (text !== undefined && !URL.canParse(text)) read.mistake(`EVERGRANT_ADDRESS must be a URL, not "${text}"`);
  return text;
}

function regionAddresses(read: VariableReader): Record<string, string> {
  const addresses = asRecord(read.json('EVERGRANT_REGION_ADDRESSES'));
  const usable = Object.values(addresses).every((address) => typeof address === 'string' && URL.canParse(address));
  if (!usable) read.mistake('EVERGRANT_REGION_ADDRESSES must be a JSON object of URLs by region');
  return usable ? (addresses as Record<string, string>) : {};
}
