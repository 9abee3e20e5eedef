import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '@evergrant/test-support/eventually';
import { SIGNING_KEY, type TestWorld, TOKENS } from '@evergrant/test-support/server/test-world';
import { TRIAD_PRODUCT } from '@evergrant/test-support/server/triads';

const PROGRAM = join(__dirname, '../../../../dist/server/main.js');

export interface ServerProcess {
  readonly name: string;
  readonly child: ChildProcess;
  readonly address: string;
}

export interface TriadAnswer {
  readonly status: number;
  readonly code: string | undefined;
  readonly reason: string | undefined;
  readonly leaseId: string;
}

/** License servers as processes of their own, which can be killed and stopped for real. */
export class Processes {
  readonly #world: TestWorld;
  readonly #folder = mkdtempSync(join(tmpdir(), 'evergrant-triad-'));
  readonly #started: ChildProcess[] = [];

  constructor(world: TestWorld) {
    this.#world = world;
  }

  async start(name: string): Promise<ServerProcess> {
    const child = spawn(process.execPath, [PROGRAM], { env: this.#environment(name) });
    this.#started.push(child);
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream?.on('data', (chunk) => {
        output += chunk;
      });
    const address = await eventually(
      `${name} listens`,
      () => {
        if (child.exitCode !== null) throw new Error(`${name} ended: ${output}`);
        return /"address":"(http[^"]+)"/.exec(output)?.[1];
      },
      { deadlineMs: 30_000 },
    );
    return { name, child, address };
  }

  remove(): void {
    for (const child of this.#started) child.kill('SIGKILL');
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #environment(name: string): Record<string, string> {
    const { vendor, database, authority } = this.#world;
    const [licenses, store] = [database.address('evergrant_server'), authority.database.address('evergrant_server')];
    return {
      EVERGRANT_REGION: 'oregon',
      EVERGRANT_SERVER: name,
      EVERGRANT_PORT_LISTEN: '0',
      EVERGRANT_DATABASE_HOST: licenses.host,
      EVERGRANT_DATABASE_PORT: String(licenses.port),
      EVERGRANT_DATABASE_NAME: licenses.name,
      EVERGRANT_DATABASE_USER: licenses.user,
      EVERGRANT_AUTHORITY_HOST: store.host,
      EVERGRANT_AUTHORITY_PORT: String(store.port),
      EVERGRANT_AUTHORITY_NAME: store.name,
      EVERGRANT_AUTHORITY_USER: store.user,
      EVERGRANT_SECRETS_FILE: this.#file('secrets', {
        databasePassword: licenses.password,
        authorityPassword: store.password,
        signingKeys: { keys: [SIGNING_KEY] },
        deploymentKeys: { keys: [vendor.deployment] },
      }),
      EVERGRANT_LICENSE_TRUST_FILE: this.#file('trust', vendor.trust),
      EVERGRANT_REGION_ADDRESSES: '{"oregon":"http://oregon.test","virginia":"http://virginia.test"}',
      EVERGRANT_AUTHORITY_LEASE_MS: '3000',
      EVERGRANT_RENEWAL_EVERY_MS: '300',
      EVERGRANT_SKEW_MS: '500',
    };
  }

  #file(name: string, content: unknown): string {
    const path = join(this.#folder, `${name}.json`);
    writeFileSync(path, JSON.stringify(content), { mode: 0o600 });
    return path;
  }
}

export const checkoutAt = (server: ServerProcess, seats = 1): Promise<TriadAnswer> => {
  const leaseId = randomUUID();
  return ask(server, 'PUT', leaseId, '', { product: TRIAD_PRODUCT, feature: 'triad-studio', seats, holder: 'room-1' });
};

export const heartbeatAt = (server: ServerProcess, leaseId: string): Promise<TriadAnswer> =>
  ask(server, 'POST', leaseId, '/heartbeat', {});

async function ask(
  { address }: ServerProcess,
  method: string,
  leaseId: string,
  path: string,
  body: object,
): Promise<TriadAnswer> {
  const response = await fetch(`${address}/v1/leases/${leaseId}${path}`, {
    method,
    headers: { authorization: `Bearer ${TOKENS.client}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(10_000),
  });
  const { code, reason } = (await response.json()) as { code?: string; reason?: string };
  return { status: response.status, code, reason, leaseId };
}

/** The first of the servers that grants, and what it granted. */
export function whoGrants(servers: readonly ServerProcess[]): Promise<{ by: ServerProcess; leaseId: string }> {
  return eventually(
    `one of ${servers.map(({ name }) => name)} grants`,
    async () => {
      for (const by of servers) {
        const answer = await checkoutAt(by).catch(() => undefined);
        if (answer?.status === 201) return { by, leaseId: answer.leaseId };
      }
      return undefined;
    },
    { deadlineMs: 30_000, everyMs: 100 },
  );
}
