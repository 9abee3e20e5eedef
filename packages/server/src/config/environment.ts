import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { EnvironmentReader, type Variables } from '@evergrant/core/environment/environment-reader';
import { integer, json, oneOf, optionalInteger, optionalText, port, text } from '@evergrant/core/environment/variables';
import type { SigningKey } from '../platform/jws';
import type { DatabaseAddress } from '../platform/postgres/connection';
import { readDatabase } from './database';
import { type Licensing, readLicensing } from './licensing';
import { asRecord, readSecrets, secretText, signingKeys } from './secrets';
import { readSecurity, type Security } from './security';

export interface ServerEnvironment {
  readonly region: string;
  readonly server: string;
  readonly host: string;
  readonly port: number;
  readonly database: DatabaseAddress;
  /** A PostgreSQL database, or a DynamoDB global table. */
  readonly authority: DatabaseAddress | DynamoAuthority;
  /** The `application_name` of the other region's follower; a pattern of SQL's LIKE. */
  readonly followerName?: string | undefined;
  readonly signingKeys: readonly SigningKey[];
  readonly licensing: Licensing;
  /** The address at which clients reach this server itself. @default the address that it listens on */
  readonly address?: string | undefined;
  readonly security: Security;
  /** The public or regional address of each region, by region name. */
  readonly regionAddresses: Readonly<Record<string, string>>;
  readonly authorityLeaseMs: number;
  readonly renewalEveryMs: number;
  readonly skewMs: number;
  /** How often a changed audit log is signed and stored outside of the database. */
  readonly checkpointEveryMs: number;
  /** Grants no longer wait for a follower that has been gone for this long (S6). 0: they always wait. */
  readonly unprotectedAfterMs: number;
  readonly logLevel: string;
  /** How often the metrics are written into the log. @default never */
  readonly logMetricsEveryMs?: number | undefined;
}

export interface DynamoAuthority {
  readonly table: string;
  readonly awsRegion: string;
}

const HOUR_MS = 3_600_000;

const IDENTITY = {
  region: text('EVERGRANT_REGION', { description: 'the name of the region of this server' }),
  host: text('EVERGRANT_HOST', { description: 'the address to listen on', default: '127.0.0.1' }),
  port: port('EVERGRANT_PORT_LISTEN', { description: 'the port to listen on' }),
};

const SETTINGS = {
  followerName: optionalText('EVERGRANT_FOLLOWER_NAME', {
    description: "the application_name of the other region's follower",
  }),
  authorityLeaseMs: integer('EVERGRANT_AUTHORITY_LEASE_MS', {
    description: 'how long a proof of authority is valid, in milliseconds',
    min: 1,
    max: HOUR_MS,
  }),
  renewalEveryMs: integer('EVERGRANT_RENEWAL_EVERY_MS', {
    description: 'how often authority is renewed, in milliseconds',
    min: 1,
    max: HOUR_MS,
  }),
  skewMs: integer('EVERGRANT_SKEW_MS', {
    description: 'the largest difference between the clocks of two regions, in milliseconds',
    min: 0,
    max: HOUR_MS,
  }),
  checkpointEveryMs: integer('EVERGRANT_CHECKPOINT_EVERY_MS', {
    description: 'how often the audit log is signed, in milliseconds',
    min: 100,
    max: HOUR_MS,
    default: 10_000,
  }),
  unprotectedAfterMs: integer('EVERGRANT_UNPROTECTED_AFTER_MS', {
    description: 'after how many milliseconds without a follower grants no longer wait for it; 0 for never',
    min: 0,
    max: HOUR_MS,
    default: 60_000,
  }),
  logLevel: oneOf('EVERGRANT_LOG_LEVEL', {
    description: 'the lowest level that is logged',
    values: ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'],
    default: 'info',
  }),
  logMetricsEveryMs: optionalInteger('EVERGRANT_LOG_METRICS_EVERY_MS', {
    description: 'how often the metrics are logged, in milliseconds',
    min: 1_000,
    max: HOUR_MS,
  }),
};

const REGION_ADDRESSES = json<Readonly<Record<string, string>>>('EVERGRANT_REGION_ADDRESSES', {
  description: 'a JSON object of URLs by region name',
  placeholder: {},
  parse: (value) => {
    const addresses = asRecord(value);
    const isValid = Object.values(addresses).every((url) => typeof url === 'string' && URL.canParse(url));
    return isValid
      ? { kind: 'valid', value: addresses as Record<string, string> }
      : { kind: 'invalid', errors: ['must be a JSON object of URLs by region name'] };
  },
});

/** @throws EnvironmentError with every validation error */
export async function readServerEnvironment(variables: Variables): Promise<ServerEnvironment> {
  const reader = readerOf(variables);
  const secrets = readSecrets(reader);
  const identity = reader.readAll(IDENTITY);
  const environment: ServerEnvironment = {
    ...identity,
    server: reader.read(serverName(identity.region)),
    address: address(reader),
    database: readDatabase(reader, 'EVERGRANT_DATABASE', secretText(reader, secrets, 'databasePassword')),
    authority: authority(reader, secrets),
    signingKeys: signingKeys(reader, secrets),
    licensing: await readLicensing(reader, secrets.deploymentKeys),
    security: readSecurity(reader, identity.host),
    regionAddresses: reader.read(REGION_ADDRESSES),
    ...reader.readAll(SETTINGS),
  };
  if (environment.renewalEveryMs >= environment.authorityLeaseMs) {
    reader.addError('EVERGRANT_RENEWAL_EVERY_MS must be shorter than EVERGRANT_AUTHORITY_LEASE_MS');
  }
  if (environment.region && !(environment.region in environment.regionAddresses)) {
    reader.addError(`EVERGRANT_REGION_ADDRESSES has no address for ${environment.region}`);
  }
  return reader.complete(environment);
}

export function readerOf(variables: Variables): EnvironmentReader {
  return new EnvironmentReader(variables, { readFile: (path) => readFileSync(path, 'utf8') });
}

/** Servers that a container service starts are named after their hosts. */
function serverName(region: string) {
  return text('EVERGRANT_SERVER', {
    description: 'the name of this server, as region/name',
    default: `${region}/${hostname()}`,
  });
}

function authority(reader: EnvironmentReader, secrets: Record<string, unknown>): DatabaseAddress | DynamoAuthority {
  const table = reader.optional('EVERGRANT_AUTHORITY_TABLE');
  if (table === undefined) {
    return readDatabase(reader, 'EVERGRANT_AUTHORITY', secretText(reader, secrets, 'authorityPassword'));
  }
  const awsRegion = text('EVERGRANT_AUTHORITY_AWS_REGION', { description: 'the AWS region of the authority table' });
  return { table, awsRegion: reader.read(awsRegion) };
}

function address(reader: EnvironmentReader): string | undefined {
  const url = reader.optional('EVERGRANT_ADDRESS');
  if (url !== undefined && !URL.canParse(url)) reader.addError(`EVERGRANT_ADDRESS must be a URL, not "${url}"`);
  return url;
}
