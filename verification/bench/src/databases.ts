import { join } from 'node:path';
import { waitUntil } from '@evergrant/drills/eventually';
import { createAuthorityStore } from '@evergrant/local-cluster/adapters/create-authority-store';
import { createClusters } from '@evergrant/local-cluster/databases/bootstrap';
import { STANDBY_NAME } from '@evergrant/local-cluster/databases/ha-pair';
import { ManagedInstance } from '@evergrant/local-cluster/databases/managed-instance';
import { SUPERVISOR_TIMEOUTS } from '@evergrant/local-cluster/databases/timeouts';
import { type Layout, LOOPBACK } from '@evergrant/local-cluster/layout';
import { TcpProxy } from '@evergrant/local-cluster/network/tcp-proxy';
import { clusterHome } from '@evergrant/local-cluster/postgres/binaries';
import { PostgresInstance } from '@evergrant/local-cluster/postgres/instance';
import type { WorldSecrets } from '@evergrant/local-cluster/world/secrets';
import { Client } from 'pg';
import type { BenchDatabaseLogin } from './messages';

/** Standby and follower have minutes of writes to catch up with. */
const STREAMING_WITHIN_MS = 300_000;
const ignore = (): void => undefined;

const FOLLOWER_NAME = 'virginia_follower';

/**
 * Oregon's primary database with its in-region standby, Virginia's follower and the authority store, configured as in the
 * local cluster: fsync on, every commit flushed. They run without a supervisor.
 */
export class BenchDatabases {
  readonly #layout: Layout;
  readonly #secrets: WorldSecrets;
  readonly #primary: ManagedInstance;
  readonly #standby: ManagedInstance;
  readonly #follower: ManagedInstance;
  readonly #store: PostgresInstance;
  #link: TcpProxy | undefined;
  #isReplicated = false;

  constructor({ layout, home, secrets }: { layout: Layout; home: string; secrets: WorldSecrets }) {
    this.#layout = layout;
    this.#secrets = secrets;
    const directory = clusterHome(home);
    const instance = (name: string, adminPassword: string): PostgresInstance => {
      const file = name.replace('/', '-');
      return new PostgresInstance({
        name,
        directory: join(directory, file),
        port: layout.port(name),
        logFile: join(home, 'logs', `${file}.log`),
        adminPassword,
      });
    };
    const member = (name: string): ManagedInstance =>
      new ManagedInstance({
        postgres: instance(name, secrets.databasePasswords.evergrant_admin),
        timeouts: SUPERVISOR_TIMEOUTS.default,
        replicationPassword: secrets.databasePasswords.evergrant_replication,
        ...{ onAnswer: ignore, onLaunch: ignore, onExit: ignore },
      });
    this.#primary = member('oregon/db-a');
    this.#standby = member('oregon/db-b');
    this.#follower = member('virginia/db');
    this.#store = instance('ohio/db', secrets.authorityPasswords.evergrant_admin);
  }

  async start(): Promise<void> {
    const { databasePasswords, authorityPasswords } = this.#secrets;
    await createClusters({
      primary: this.#primary.postgres,
      followers: [this.#standby.postgres, this.#follower.postgres],
      store: this.#store,
      databasePasswords,
      authorityPasswords,
    });
    await Promise.all([this.#primary.launch(), this.#store.start()]);
    await this.#primary.postgres.waitUntilReady();
    // A fast machine writes gigabytes before the followers connect.
    await this.#primary.postgres.query(`alter system set wal_keep_size = '32GB'`);
    await this.#primary.postgres.query('select pg_reload_conf()');
    const admin = new Client(this.#store.connection({ database: 'evergrant' }));
    await admin.connect();
    try {
      await createAuthorityStore(admin, { passwords: authorityPasswords });
    } finally {
      await admin.end();
    }
  }

  /** From now on every commit waits for the standby's flush, and Virginia's follower streams. */
  async replicate(): Promise<void> {
    if (this.#isReplicated) return;
    this.#isReplicated = true;
    await this.#follow(this.#standby, STANDBY_NAME);
    await this.#follow(this.#follower, FOLLOWER_NAME);
    this.#primary.setSynchronousStandby(STANDBY_NAME);
    await this.#untilAllStream();
  }

  /** Puts a link with a configurable delay in front of Virginia's follower. */
  async replicateFar(): Promise<void> {
    await this.replicate();
    const name = 'virginia-oregon/replication';
    const port = this.#layout.linkPort(name);
    this.#link = new TcpProxy({ name, port, targetPort: this.#layout.port('oregon/db-a') });
    await this.#link.listen();
    await this.#follower.postgres.stop('fast');
    await this.#follow(this.#follower, FOLLOWER_NAME, port);
    await this.#untilAllStream();
  }

  /** Sets the delay of the link, half of the round trip in each direction. */
  setRoundTrip(roundTripMs: number): void {
    this.#link?.setCondition({ delayMs: roundTripMs / 2 });
  }

  async #untilAllStream(): Promise<void> {
    await waitUntil('standby and follower stream', STREAMING_WITHIN_MS, async () => {
      const streaming = await this.#primary.postgres.query<{ name: string; sync: string }>(
        `select application_name as name, sync_state as sync from pg_stat_replication where state = 'streaming'`,
      );
      const isSynchronous = streaming.some(({ name, sync }) => name === STANDBY_NAME && sync === 'sync');
      return isSynchronous && streaming.some(({ name }) => name === FOLLOWER_NAME);
    });
  }

  async #follow(
    member: ManagedInstance,
    applicationName: string,
    port = this.#layout.port('oregon/db-a'),
  ): Promise<void> {
    member.following = { port, applicationName };
    await member.launch();
  }

  /** Runs statements as the schema's owner. */
  async asOwner<T>(work: (client: Client) => Promise<T>): Promise<T> {
    const client = new Client(this.login('evergrant_owner'));
    await client.connect();
    try {
      return await work(client);
    } finally {
      await client.end();
    }
  }

  login(user: 'evergrant_owner' | 'evergrant_server'): BenchDatabaseLogin {
    const port = this.#layout.port('oregon/db-a');
    return { host: LOOPBACK, port, database: 'evergrant', user, password: this.#secrets.databasePasswords[user] };
  }

  get #members(): readonly ManagedInstance[] {
    return [this.#primary, this.#standby, this.#follower];
  }

  /** Process ids of the license database's servers and their backends, including standby and follower. */
  processes(): number[] {
    return this.#members.flatMap(({ postgres }) => postgres.processes());
  }

  async stop(): Promise<void> {
    for (const { health } of this.#members) health.stop();
    const instances = [...this.#members.map(({ postgres }) => postgres), this.#store];
    await Promise.all(instances.map((each) => each.stop('immediate')));
    await this.#link?.close();
  }
}
