import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { PrivateKey } from '@evergrant/formats/license/keys';
import { exportJWK, generateKeyPair, type JWK } from 'jose';
import { writeFileAtomically } from './files';

/** All secrets of one world. They are generated at its first start and stored in files that only the owner can read. */
export interface WorldSecrets {
  /** Passwords of the roles in the license databases, by role name. */
  readonly databasePasswords: Readonly<
    Record<
      'evergrant_admin' | 'evergrant_owner' | 'evergrant_server' | 'evergrant_controller' | 'evergrant_replication',
      string
    >
  >;
  /** Passwords of the roles in the authority store. */
  readonly authorityPasswords: Readonly<
    Record<'evergrant_admin' | 'evergrant_server' | 'evergrant_controller', string>
  >;
  /** Bearer tokens: `admin` may do everything, `client` may hold and read leases. */
  readonly tokens: { readonly admin: string; readonly client: string };
  readonly signingKeys: { readonly keys: readonly JWK[] };
}

export interface SecretFiles {
  readonly server: string;
  readonly controller: string;
  readonly edge: string;
  readonly migration: string;
  readonly tokens: string;
}

const password = (): string => randomBytes(24).toString('base64url');

async function generate(): Promise<WorldSecrets> {
  const { privateKey } = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true });
  const kid = `lease-${randomBytes(6).toString('hex')}`;
  const key: JWK = { ...(await exportJWK(privateKey)), kid, alg: 'EdDSA', use: 'sig' };
  return {
    databasePasswords: {
      evergrant_admin: password(),
      evergrant_owner: password(),
      evergrant_server: password(),
      evergrant_controller: password(),
      evergrant_replication: password(),
    },
    authorityPasswords: { evergrant_admin: password(), evergrant_server: password(), evergrant_controller: password() },
    tokens: { admin: `ega_${password()}`, client: `egc_${password()}` },
    signingKeys: { keys: [key] },
  };
}

/** Reads the world's secrets from `dir`, or generates them there. */
export async function loadOrCreateSecrets(dir: string): Promise<WorldSecrets> {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const file = join(dir, 'world.json');
  if (existsSync(file)) return JSON.parse(readFileSync(file, 'utf8')) as WorldSecrets;
  const secrets = await generate();
  writeFileAtomically(file, JSON.stringify(secrets), 0o600);
  return secrets;
}

/** Writes one file for each kind of process, with only the secrets that it needs. */
export function writeSecretFiles(dir: string, secrets: WorldSecrets, deploymentKey: PrivateKey): SecretFiles {
  const write = (name: string, content: unknown): string => {
    const file = join(dir, `${name}.json`);
    writeFileAtomically(file, JSON.stringify(content), 0o600);
    return file;
  };
  const { databasePasswords, authorityPasswords, tokens, signingKeys } = secrets;
  const deploymentKeys = { keys: [deploymentKey] };
  return {
    server: write('server', {
      databasePassword: databasePasswords.evergrant_server,
      authorityPassword: authorityPasswords.evergrant_server,
      signingKeys,
      deploymentKeys,
    }),
    controller: write('controller', {
      databasePassword: databasePasswords.evergrant_controller,
      authorityPassword: authorityPasswords.evergrant_controller,
      adminToken: tokens.admin,
    }),
    edge: write('edge', { adminToken: tokens.admin }),
    migration: write('migration', { databasePassword: databasePasswords.evergrant_owner, deploymentKeys }),
    tokens: write('tokens', [
      { name: 'world-admin', token: tokens.admin, scopes: ['admin', 'lease', 'read'] },
      { name: 'world-client', token: tokens.client, scopes: ['lease', 'read'] },
    ]),
  };
}
