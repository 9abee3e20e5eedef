import { mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { clusterHome } from '@evergrant/local-cluster/postgres/binaries';
import { copyRunning, markAsFollower, unfinishedCopy } from '@evergrant/local-cluster/postgres/copies';
import { ADMIN_ROLE, PostgresInstance } from '@evergrant/local-cluster/postgres/instance';
import { registerTokens } from '@evergrant/server/api-tokens/sql/register-tokens';
import type { DatabaseAddress } from '@evergrant/server/platform/postgres/connection';
import { migrate } from '@evergrant/server/platform/postgres/migrations';
import { Client } from 'pg';
import { eventually } from '../eventually';
import { freePort } from '../free-port';
import { importForTest, type LicenseDraft } from './test-licenses';
import { TOKENS } from './test-world';

const ADMIN_PASSWORD = 'only-for-tests';

/** A license database and a streaming follower, in separate PostgreSQL instances. Starts in about five seconds. */
export class FollowedDatabase {
  readonly primary: PostgresInstance;
  readonly follower: PostgresInstance;
  readonly #folders: readonly string[];

  private constructor(primary: PostgresInstance, follower: PostgresInstance, folders: readonly string[]) {
    this.primary = primary;
    this.follower = follower;
    this.#folders = folders;
  }

  static async create(license: LicenseDraft): Promise<FollowedDatabase> {
    const folder = mkdtempSync(join(tmpdir(), 'evergrant-followed-'));
    const home = clusterHome(folder);
    const instance = async (name: string): Promise<PostgresInstance> =>
      new PostgresInstance({
        name,
        directory: join(home, name),
        port: await freePort(),
        logFile: join(home, `${name}.log`),
        adminPassword: ADMIN_PASSWORD,
      });
    const databases = new FollowedDatabase(await instance('primary'), await instance('follower'), [folder, home]);
    await databases.#fill(license);
    await databases.#follow();
    return databases;
  }

  async #fill(license: LicenseDraft): Promise<void> {
    await this.primary.init();
    await this.primary.start();
    const client = new Client(this.primary.connection());
    await client.connect();
    try {
      await migrate(client);
      await importForTest(client, license);
      await registerTokens(client, [
        { name: 'client', token: TOKENS.client, scopes: ['lease'] },
        { name: 'reader', token: TOKENS.reader, scopes: ['read'] },
      ]);
    } finally {
      await client.end();
    }
  }

  async #follow(): Promise<void> {
    await copyRunning(this.primary.connection(), this.follower, { silentAfterMs: 10_000 });
    renameSync(unfinishedCopy(this.follower), this.follower.directory);
    markAsFollower(this.follower);
    await this.startFollower();
  }

  /** Resolves when it streams. */
  async startFollower(): Promise<void> {
    const source = `host=127.0.0.1 port=${this.primary.port} user=${ADMIN_ROLE} password=${ADMIN_PASSWORD}`;
    await this.follower.start({
      settings: {
        primary_conninfo: `${source} application_name=virginia_follower`,
        wal_receiver_status_interval: '1s',
        wal_retrieve_retry_interval: '200ms',
      },
    });
    await eventually('the follower streams', async () => {
      const rows = await this.primary.query(`select from pg_stat_replication where state = 'streaming'`);
      return rows.length > 0;
    });
  }

  /** A later issue needs a higher `issue`. */
  async importLicense(license: LicenseDraft): Promise<void> {
    const client = new Client(this.primary.connection());
    await client.connect();
    await importForTest(client, license).finally(() => client.end());
  }

  address(instance: PostgresInstance): DatabaseAddress {
    return { host: '127.0.0.1', port: instance.port, name: 'postgres', user: ADMIN_ROLE, password: ADMIN_PASSWORD };
  }

  async drop(): Promise<void> {
    await Promise.all([this.primary.kill(), this.follower.kill()]);
    for (const folder of this.#folders) rmSync(folder, { recursive: true, force: true });
  }
}
