import { generateKeyPairSync } from 'node:crypto';
import { Writable } from 'node:stream';
import type { PrivateKey } from '@evergrant/formats/license/keys';
import type { Trust } from '@evergrant/formats/license/trust';
import { registerTokens } from '@evergrant/server/api-tokens/sql/register-tokens';
import { connectCheckpointStore } from '@evergrant/server/audit/sql/checkpoint-store';
import { connectControllerHistory } from '@evergrant/server/audit/sql/controller-history';
import type { ServerEnvironment } from '@evergrant/server/config/environment';
import { SECURITY_DEFAULT, type Security } from '@evergrant/server/config/security';
import { createServer, type LicenseServer } from '@evergrant/server/create-server';
import { connectAuthorityStore } from '@evergrant/server/epochs/sql/authority-store';
import type { ServerAuthorityStore } from '@evergrant/server/epochs/store';
import type { MonotonicClock } from '@evergrant/server/platform/clock';
import type { SigningKey } from '@evergrant/server/platform/jws';
import { createLog } from '@evergrant/server/platform/log';
import type { LicenseDatabase } from '@evergrant/server/platform/postgres/license-database';
import { connectLicenseDatabase } from '@evergrant/server/platform/postgres/license-database';
import { SESSION_POLICY, type SessionPolicy } from '@evergrant/server/sessions/policy';
import { eventually } from '../eventually';
import { TestDatabase } from '../test-database';
import type { Vendor } from '../vendor';
import { TestAuthority } from './authority-record';
import { importForTest, type LicenseDraft, testVendor } from './test-licenses';

export type { LicenseDraft };

export const TOKENS = {
  client: 'client-token-of-the-tests',
  reader: 'reader-token-of-the-tests',
  admin: 'admin-token-of-the-tests',
};

export const PRODUCT = 'Assembler';

export const LICENSE: LicenseDraft = {
  licenseId: 'lic-1',
  customer: 'Acme',
  product: PRODUCT,
  entitlements: [
    { feature: 'studio', seats: 10, escrow: 3, leaseTtlSeconds: 600 },
    { feature: 'runner', seats: 100_000, escrow: 10, leaseTtlSeconds: 600 },
    { feature: 'mayfly', seats: 5, escrow: 1, leaseTtlSeconds: 600 },
  ],
};

export const SIGNING_KEY: SigningKey = {
  ...(generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' }) as {
    kty: string;
    crv: string;
    x: string;
    d: string;
  }),
  kid: 'test-1',
};

export interface TestResponse {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: a test looks into whatever was answered
  readonly body: any;
  readonly headers: Readonly<Record<string, unknown>>;
}

export interface RunningServer extends LicenseServer {
  readonly name: string;
  /** Where it listens, as a URL. */
  readonly address: string;
  readonly logLines: Record<string, unknown>[];
  /** Makes the server look up every API token again. */
  forgetTokens(): void;
  call(
    method: 'GET' | 'PUT' | 'POST' | 'DELETE',
    path: string,
    body?: object,
    token?: string | null,
  ): Promise<TestResponse>;
}

export interface ServerSettings {
  readonly name?: string;
  readonly region?: string;
  readonly authorityLeaseMs?: number;
  readonly renewalEveryMs?: number;
  readonly skewMs?: number;
  readonly unprotectedAfterMs?: number;
  readonly checkpointEveryMs?: number;
  readonly clock?: MonotonicClock;
  readonly security?: Partial<Security>;
  readonly sessionPolicy?: Partial<SessionPolicy>;
  /** @default the root of the tests' vendor */
  readonly trust?: Trust;
  /** @default the key of the tests' deployment */
  readonly deploymentKeys?: readonly PrivateKey[];
  /** The server believes what the rows say of a license, signed or not: for tests that edit them. */
  readonly believesRows?: boolean;
  /** @default followed by one that has everything at once */
  readonly wrapDatabase?: (database: LicenseDatabase) => LicenseDatabase;
  readonly wrapAuthority?: (store: ServerAuthorityStore) => ServerAuthorityStore;
}

/** A license database and an authority store of a test's own, and the servers that the test starts on them. */
export class TestWorld {
  readonly database: TestDatabase;
  readonly authority: TestAuthority;
  readonly vendor: Vendor;
  readonly #servers: RunningServer[] = [];

  private constructor(database: TestDatabase, authority: TestAuthority, vendor: Vendor) {
    this.database = database;
    this.authority = authority;
    this.vendor = vendor;
  }

  static async create(...licenses: LicenseDraft[]): Promise<TestWorld> {
    const world = new TestWorld(await TestDatabase.clone(), await TestAuthority.create(), await testVendor());
    for (const license of licenses.length > 0 ? licenses : [LICENSE]) await world.importLicense(license);
    await world.database.as('evergrant_owner', async (client) => {
      await registerTokens(client, [
        { name: 'client', token: TOKENS.client, scopes: ['lease'] },
        { name: 'reader', token: TOKENS.reader, scopes: ['read'] },
        { name: 'admin', token: TOKENS.admin, scopes: ['admin'] },
      ]);
    });
    return world;
  }

  /** Over databases that the test has filled itself. */
  static async around(database: TestDatabase, authority: TestAuthority): Promise<TestWorld> {
    return new TestWorld(database, authority, await testVendor());
  }

  /** Signs a license and brings it into the database; a later issue of the same license needs a higher `issue`. */
  async importLicense(license: LicenseDraft): Promise<void> {
    await this.database.as('evergrant_owner', (client) => importForTest(client, license));
  }

  /** A server that watches and may or may not grant. */
  async start(settings: ServerSettings = {}): Promise<RunningServer> {
    const running = await this.startWatching(settings);
    await eventually('the API tokens are read', async () => (await running.call('GET', '/v1/pools')).status === 200);
    return running;
  }

  /** A server that runs, whatever it may find. */
  async startWatching(settings: ServerSettings = {}): Promise<RunningServer> {
    const { region = 'oregon', name = `${region}/app-${this.#servers.length + 1}`, clock } = settings;
    const logLines: Record<string, unknown>[] = [];
    const log = createLog({ server: name, level: 'debug' }, linesInto(logLines));
    const database = followedAtOnce(
      connectLicenseDatabase(this.database.address('evergrant_server'), {
        server: name,
        followerName: region === 'oregon' ? 'virginia_follower' : 'oregon_follower',
      }),
    );
    const store = connectAuthorityStore(this.authority.database.address('evergrant_server'), name);
    const server = await createServer(environmentOf(this, { ...settings, region, name }), {
      database: settings.wrapDatabase?.(database) ?? database,
      authorityStore: settings.wrapAuthority?.(store) ?? store,
      checkpointStore: connectCheckpointStore(this.authority.database.address('evergrant_server'), name),
      controllerHistory: connectControllerHistory(this.authority.database.address('evergrant_server'), name),
      log,
      ...(clock ? { clock } : {}),
      ...(settings.believesRows ? { integrityChecks: { check: async () => undefined } } : {}),
      sessionPolicy: { ...SESSION_POLICY, ...settings.sessionPolicy },
    });
    const address = await server.start();
    const running: RunningServer = {
      ...server,
      name,
      address,
      logLines,
      forgetTokens: () => server.tokenVerifier.forget(),
      call: caller(server),
    };
    this.#servers.push(running);
    return running;
  }

  /** A server that grants. */
  async startGranting(settings: ServerSettings = {}): Promise<RunningServer> {
    const server = await this.start(settings);
    await eventually(`${server.name} grants`, () => server.role.verdict().kind === 'granting');
    return server;
  }

  /** What the rows say and what the pool says, for one feature. */
  async counts(
    feature: string,
  ): Promise<{ live: number; taken: number; heldBack: number; over: number; grantSeq: number; seats: number }> {
    const rows = await this.database.query<{
      live: number;
      taken: number;
      heldBack: number;
      over: number;
      grantSeq: number;
      seats: number;
    }>(
      `select seats, seats_taken as taken, seats_held_back as "heldBack", seats_over as over, grant_seq::int as "grantSeq",
        (select coalesce(sum(l.seats), 0)::int from lease l where l.pool_id = pool.id and l.state = 'live') as live
       from pool where feature = $1`,
      [feature],
    );
    return rows[0]!;
  }

  async close(): Promise<void> {
    await Promise.all(this.#servers.map((server) => server.stop().catch(() => undefined)));
    await Promise.all([this.database.drop(), this.authority.database.drop()]);
  }
}

export function environmentOf(
  world: TestWorld,
  settings: ServerSettings & { region: string; name: string },
): ServerEnvironment {
  const { region, name, authorityLeaseMs = 3_000, renewalEveryMs = 200, skewMs = 500 } = settings;
  const { checkpointEveryMs = 500, unprotectedAfterMs = 0 } = settings;
  return {
    region,
    server: name,
    host: '127.0.0.1',
    port: 0,
    database: world.database.address('evergrant_server'),
    authority: world.authority.database.address('evergrant_server'),
    signingKeys: [SIGNING_KEY],
    security: { ...SECURITY_DEFAULT, ...settings.security },
    licensing: {
      trust: settings.trust ?? world.vendor.trust,
      deploymentKeys: settings.deploymentKeys ?? [world.vendor.deployment],
    },
    regionAddresses: { oregon: 'http://oregon.test', virginia: 'http://virginia.test' },
    authorityLeaseMs,
    renewalEveryMs,
    skewMs,
    checkpointEveryMs,
    unprotectedAfterMs,
    logLevel: 'debug',
  };
}

/** Most tests are not about the follower: as if it had received everything at once. */
function followedAtOnce(database: LicenseDatabase): LicenseDatabase {
  return {
    ...database,
    replication: { ...database.replication, readAcknowledged: async () => 'FFFFFFFF/FFFFFFFF' },
  };
}

function caller({ app }: LicenseServer): RunningServer['call'] {
  return async (method, path, body, token = TOKENS.client) => {
    const answer = await app.inject({
      method,
      url: path,
      headers: token === null ? {} : { authorization: `Bearer ${token}` },
      ...(body ? { payload: body } : {}),
    });
    const json = /^application\/(problem\+)?json\b/.test(String(answer.headers['content-type'] ?? ''));
    return { status: answer.statusCode, body: json ? answer.json() : answer.body, headers: answer.headers };
  };
}

function linesInto(lines: Record<string, unknown>[]): Writable {
  return new Writable({
    write: (chunk, _encoding, done) => {
      for (const line of String(chunk).split('\n').filter(Boolean))
        lines.push(JSON.parse(line) as Record<string, unknown>);
      done();
    },
  });
}
