/**
 * npm run openapi: writes docs/openapi.json from the server's own routes. With `-- --check` it writes nothing and exits 1
 * when the committed file differs. Needs no database: connections are opened by the first query, and none is sent.
 */
import { createHash, generateKeyPairSync } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connectCheckpointStore } from '@evergrant/server/audit/sql/checkpoint-store';
import { connectControllerHistory } from '@evergrant/server/audit/sql/controller-history';
import { readServerEnvironment } from '@evergrant/server/config/environment';
import { createServer } from '@evergrant/server/create-server';
import { connectAuthorityStore } from '@evergrant/server/epochs/sql/authority-store';
import { createLog } from '@evergrant/server/platform/log';
import { connectLicenseDatabase } from '@evergrant/server/platform/postgres/license-database';

export const OPENAPI_FILE = join(__dirname, '../docs/openapi.json');

const DATABASE = { host: '127.0.0.1', port: 1, name: 'none', user: 'none', password: 'none' };

/** The OpenAPI document that a server of this release serves at /openapi.json, as formatted JSON. */
export async function openapiDocument(): Promise<string> {
  const server = 'openapi';
  const { app, stop } = await createServer(await readServerEnvironment(variables(server)), {
    database: connectLicenseDatabase(DATABASE, { server, followerName: 'none' }),
    authorityStore: connectAuthorityStore(DATABASE, server),
    checkpointStore: connectCheckpointStore(DATABASE, server),
    controllerHistory: connectControllerHistory(DATABASE, server),
    log: createLog({ server, level: 'silent' }),
  });
  try {
    const { body } = await app.inject('/openapi.json');
    return `${JSON.stringify(JSON.parse(body), undefined, 2)}\n`;
  } finally {
    await stop();
  }
}

/** The smallest valid environment, with keys that are made for this run only. */
function variables(server: string): Record<string, string> {
  const key = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' });
  // A vendor root is identified by the thumbprint of its key (RFC 7638).
  const thumbprinted = JSON.stringify({ crv: key.crv, kty: key.kty, x: key.x });
  const kid = createHash('sha256').update(thumbprinted).digest('base64url');
  const signingKeys = { keys: [{ ...key, kid, alg: 'EdDSA', use: 'sig' }] };
  const { d: _private, ...publicKey } = key;
  return {
    EVERGRANT_REGION: 'oregon',
    EVERGRANT_SERVER: server,
    EVERGRANT_PORT_LISTEN: '0',
    EVERGRANT_DATABASE_HOST: DATABASE.host,
    EVERGRANT_DATABASE_PORT: String(DATABASE.port),
    EVERGRANT_DATABASE_NAME: DATABASE.name,
    EVERGRANT_DATABASE_USER: DATABASE.user,
    EVERGRANT_AUTHORITY_HOST: DATABASE.host,
    EVERGRANT_AUTHORITY_PORT: String(DATABASE.port),
    EVERGRANT_AUTHORITY_NAME: DATABASE.name,
    EVERGRANT_AUTHORITY_USER: DATABASE.user,
    EVERGRANT_SECRETS: JSON.stringify({ databasePassword: 'none', authorityPassword: 'none', signingKeys }),
    EVERGRANT_LICENSE_TRUST: JSON.stringify({ roots: [{ ...publicKey, kid, role: 'root' }] }),
    EVERGRANT_AUTHORITY_LEASE_MS: '30000',
    EVERGRANT_RENEWAL_EVERY_MS: '5000',
    EVERGRANT_SKEW_MS: '5000',
    EVERGRANT_REGION_ADDRESSES: JSON.stringify({ oregon: 'http://127.0.0.1:1' }),
  };
}

async function main(): Promise<void> {
  const document = await openapiDocument();
  const committed = existsSync(OPENAPI_FILE) ? readFileSync(OPENAPI_FILE, 'utf8') : '';
  if (!process.argv.includes('--check')) {
    writeFileSync(OPENAPI_FILE, document);
  } else if (document !== committed) {
    process.stderr.write('docs/openapi.json differs from the routes of the server: run npm run openapi\n');
    process.exitCode = 1;
  }
}

if (require.main === module) {
  main().catch((error: unknown) => {
    process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : error}\n`);
    process.exitCode = 1;
  });
}
