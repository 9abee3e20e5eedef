import type { EnvironmentReader, Variables } from '@evergrant/core/environment/environment-reader';
import { json, optionalText } from '@evergrant/core/environment/variables';
import type { DatabaseAddress } from '../platform/postgres/connection';
import { readDatabase } from './database';
import { readerOf } from './environment';
import { type Licensing, readLicensing } from './licensing';
import { readSecrets, secretText } from './secrets';

export interface MigrationEnvironment {
  /** The region's own database. */
  readonly database: DatabaseAddress;
  /** Hosts of the other regions' databases, one of which may be the writable one. */
  readonly otherHosts: readonly string[];
  readonly licensing: Licensing;
  /** Paths of license files, imported in this order. */
  readonly licenseFiles: readonly string[];
  /** Passwords of the roles to create or update, by role name. */
  readonly rolePasswords: Readonly<Record<string, string>>;
  readonly tokensFile: string | undefined;
  /** The first administrator's token, where a container service injects it. It creates all other tokens. */
  readonly administratorToken: string | undefined;
}

export const TOKEN_LENGTH_MIN = 16;

const OTHER_HOSTS = optionalText('EVERGRANT_DATABASE_OTHER_HOSTS', {
  description: 'hosts of databases in other regions, separated by commas',
});

const FILES = {
  licenseFiles: json<readonly string[]>('EVERGRANT_LICENSE_FILES', {
    description: 'a JSON list of paths of license files',
    placeholder: [],
    required: false,
    parse: (paths) =>
      Array.isArray(paths) && paths.every((path) => typeof path === 'string' && path !== '')
        ? { kind: 'valid', value: paths }
        : { kind: 'invalid', errors: ['must be a JSON list of paths'] },
  }),
  tokensFile: optionalText('EVERGRANT_TOKENS_FILE', { description: 'the path of the JSON file with the API tokens' }),
  administratorToken: optionalText('EVERGRANT_ADMINISTRATOR_TOKEN', {
    description: 'the token of the first administrator',
  }),
};

/** Reads the environment of the migration process. @throws EnvironmentError with every validation error */
export async function readMigrationEnvironment(variables: Variables): Promise<MigrationEnvironment> {
  const reader = readerOf(variables);
  const secrets = readSecrets(reader);
  const environment: MigrationEnvironment = {
    database: readDatabase(reader, 'EVERGRANT_DATABASE', secretText(reader, secrets, 'databasePassword')),
    otherHosts: (reader.read(OTHER_HOSTS) ?? '').split(',').filter((host) => host !== ''),
    licensing: await readLicensing(reader, secrets.deploymentKeys),
    rolePasswords: rolePasswords(reader),
    ...reader.readAll(FILES),
  };
  const { administratorToken } = environment;
  if (administratorToken !== undefined && administratorToken.length < TOKEN_LENGTH_MIN) {
    reader.addError(`EVERGRANT_ADMINISTRATOR_TOKEN must have at least ${TOKEN_LENGTH_MIN} characters`);
  }
  return reader.complete(environment);
}

function rolePasswords(reader: EnvironmentReader): Record<string, string> {
  const passwords: Record<string, string> = {};
  for (const role of ['evergrant_server', 'evergrant_controller']) {
    const password = reader.optional(`${role.toUpperCase()}_PASSWORD`);
    if (password !== undefined) passwords[role] = password;
  }
  return passwords;
}
