import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { LOOPBACK } from '../layout';

export interface MigrationInput {
  readonly distDir: string;
  readonly home: string;
  readonly databasePort: number;
  readonly secretsFile: string;
  readonly tokensFile: string;
  readonly trustFile: string;
  readonly licenseFiles: readonly string[];
}

/**
 * Runs the product's migration command on the license database, imports the licenses and registers the API tokens. It
 * is idempotent.
 */
export async function runMigrations(input: MigrationInput): Promise<void> {
  try {
    await promisify(execFile)(process.execPath, [join(input.distDir, 'server/migrate.js')], {
      timeout: 60_000,
      env: {
        PATH: process.env.PATH,
        EVERGRANT_WORLD_HOME: input.home,
        EVERGRANT_DATABASE_HOST: LOOPBACK,
        EVERGRANT_DATABASE_PORT: String(input.databasePort),
        EVERGRANT_DATABASE_NAME: 'evergrant',
        EVERGRANT_DATABASE_USER: 'evergrant_owner',
        EVERGRANT_SECRETS_FILE: input.secretsFile,
        EVERGRANT_LICENSE_TRUST_FILE: input.trustFile,
        EVERGRANT_LICENSE_FILES: JSON.stringify(input.licenseFiles),
        EVERGRANT_TOKENS_FILE: input.tokensFile,
      },
    });
  } catch (cause) {
    const { stdout = '', stderr = '' } = cause as { stdout?: string; stderr?: string };
    throw new Error(`the license database could not be prepared:\n${stdout}${stderr}`, { cause });
  }
}
