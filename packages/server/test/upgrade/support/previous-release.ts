import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';
import { eventually } from '@evergrant/test-support/eventually';
import type { LicenseDraft } from '@evergrant/test-support/server/test-licenses';
import { SIGNING_KEY, type TestResponse, TOKENS } from '@evergrant/test-support/server/test-world';
import type { TestDatabase } from '@evergrant/test-support/test-database';

const FIXTURE = join(__dirname, '../fixtures/previous-release');

export interface OldServer {
  readonly name: string;
  readonly call: (method: 'GET' | 'PUT' | 'POST' | 'DELETE', path: string, body?: object) => Promise<TestResponse>;
  readonly stop: () => Promise<void>;
}

/** The previous release as shipped: its bundle in separate processes, with its migrations. */
export class PreviousRelease {
  readonly #folder = mkdtempSync(join(tmpdir(), 'evergrant-previous-'));
  readonly #children: ChildProcess[] = [];

  constructor() {
    mkdirSync(join(this.#folder, 'dist'));
    writeFileSync(join(this.#folder, 'package.json'), '{}');
    cpSync(join(FIXTURE, 'migrations'), join(this.#folder, 'server/migrations'), { recursive: true });
    for (const name of ['main', 'migrate']) {
      writeFileSync(join(this.#folder, 'dist', `${name}.js`), gunzipSync(readFileSync(join(FIXTURE, `${name}.js.gz`))));
    }
  }

  /** Makes the schema of that release, with a license and the API tokens of the tests. */
  async migrate(database: TestDatabase, license: LicenseDraft): Promise<void> {
    const tokens = [
      { name: 'client', token: TOKENS.client, scopes: ['lease'] },
      { name: 'reader', token: TOKENS.reader, scopes: ['read'] },
      { name: 'admin', token: TOKENS.admin, scopes: ['admin'] },
    ];
    const owner = database.address('evergrant_owner');
    await promisify(execFile)(process.execPath, [join(this.#folder, 'dist/migrate.js')], {
      env: {
        ...addressVariables('DATABASE', owner),
        EVERGRANT_SECRETS_FILE: this.#file('owner', { databasePassword: owner.password }),
        EVERGRANT_LICENSE_FILE: this.#file('license', license),
        EVERGRANT_TOKENS_FILE: this.#file('tokens', tokens),
      },
    });
  }

  /** A server of that release that grants. */
  async startGranting(name: string, { database, authority }: Databases): Promise<OldServer> {
    const [license, store] = [database.address('evergrant_server'), authority.address('evergrant_server')];
    const child = spawn(process.execPath, [join(this.#folder, 'dist/main.js')], {
      env: {
        EVERGRANT_REGION: 'oregon',
        EVERGRANT_SERVER: name,
        EVERGRANT_PORT_LISTEN: '0',
        ...addressVariables('DATABASE', license),
        ...addressVariables('AUTHORITY', store),
        EVERGRANT_SECRETS_FILE: this.#file('server', {
          databasePassword: license.password,
          authorityPassword: store.password,
          signingKeys: { keys: [SIGNING_KEY] },
        }),
        EVERGRANT_REGION_ADDRESSES: '{"oregon":"http://oregon.test","virginia":"http://virginia.test"}',
        EVERGRANT_AUTHORITY_LEASE_MS: '3000',
        EVERGRANT_RENEWAL_EVERY_MS: '200',
        EVERGRANT_SKEW_MS: '500',
      },
    });
    this.#children.push(child);
    const address = await addressOf(child, name);
    const call = caller(address);
    await eventually(`${name} grants`, async () => (await call('GET', '/v1/status')).body.granting === true);
    await eventually(`${name} knows the tokens`, async () => (await call('GET', '/v1/pools')).status === 200);
    return {
      name,
      call,
      stop: async () => {
        child.kill('SIGTERM');
        await eventually(`${name} has ended`, () => child.exitCode !== null || child.signalCode !== null);
      },
    };
  }

  /** Ends what still runs, and removes the release. */
  remove(): void {
    for (const child of this.#children) child.kill('SIGKILL');
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #file(name: string, content: unknown): string {
    const path = join(this.#folder, `${name}.json`);
    writeFileSync(path, JSON.stringify(content), { mode: 0o600 });
    return path;
  }
}

export interface Databases {
  readonly database: TestDatabase;
  readonly authority: TestDatabase;
}

function addressVariables(which: string, address: ReturnType<TestDatabase['address']>): Record<string, string> {
  return {
    [`EVERGRANT_${which}_HOST`]: address.host,
    [`EVERGRANT_${which}_PORT`]: String(address.port),
    [`EVERGRANT_${which}_NAME`]: address.name,
    [`EVERGRANT_${which}_USER`]: address.user,
  };
}

async function addressOf(child: ChildProcess, name: string): Promise<string> {
  let output = '';
  child.stdout?.on('data', (chunk) => {
    output += chunk;
  });
  child.stderr?.on('data', (chunk) => {
    output += chunk;
  });
  return eventually(`${name} listens`, () => {
    if (child.exitCode !== null) throw new Error(`${name} ended: ${output}`);
    return /"address":"(http[^"]+)"/.exec(output)?.[1];
  });
}

function caller(address: string): OldServer['call'] {
  return async (method, path, body) => {
    const response = await fetch(`${address}${path}`, {
      method,
      headers: { authorization: `Bearer ${TOKENS.client}`, ...(body ? { 'content-type': 'application/json' } : {}) },
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
    const text = await response.text();
    return {
      status: response.status,
      body: text.startsWith('{') ? JSON.parse(text) : text,
      headers: Object.fromEntries(response.headers),
    };
  };
}
