import { join } from 'node:path';
import { Client } from 'pg';
import { eventually } from '../drills/eventually';
import { clusterHome } from '../postgres/binaries';
import { PostgresInstance } from '../postgres/instance';
import { createAuthorityStore } from '../two-region/adapters/create-authority-store';
import { createClusters } from '../two-region/databases/bootstrap';
import { SUPERVISOR_DURATIONS } from '../two-region/databases/durations';
import { Member } from '../two-region/databases/member';
import { STANDBY_NAME } from '../two-region/databases/pair';
import { type Layout, LOOPBACK } from '../two-region/layout';
import type { WorldSecrets } from '../two-region/world/secrets';
import type { DatabaseLogin } from './orders';

const STREAMING_WITHIN_MS = 20_000;
const ignore = (): void => undefined;

/**
 * Oregon's primary database with its in-region standby, and the authority store, configured as in the two-region world:
 * fsync on, every commit flushed. Nobody supervises them: nothing is to fail here.
 */
export class BenchDatabases {
  readonly #layout: Layout;
  readonly #secrets: WorldSecrets;
  readonly #primary: Member;
  readonly #standby: Member;
  readonly #store: PostgresInstance;

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
    const member = (name: string): Member =>
      new Member({
        instance: instance(name, secrets.databasePasswords.evergrant_admin),
        durations: SUPERVISOR_DURATIONS.default,
        replicationPassword: secrets.databasePasswords.evergrant_replication,
        ...{ onAnswer: ignore, onLaunch: ignore, onExit: ignore },
      });
    this.#primary = member('oregon/db-a');
    this.#standby = member('oregon/db-b');
    this.#store = instance('ohio/db', secrets.authorityPasswords.evergrant_admin);
  }

  async start(): Promise<void> {
    const { databasePasswords, authorityPasswords } = this.#secrets;
    await createClusters({
      primary: this.#primary.instance,
      followers: [this.#standby.instance],
      store: this.#store,
      databasePasswords,
      authorityPasswords,
    });
    await Promise.all([this.#primary.launch(), this.#store.start()]);
    await this.#primary.instance.waitUntilReady();
    const admin = new Client(this.#store.connection({ database: 'evergrant' }));
    await admin.connect();
    try {
      await createAuthorityStore(admin, { passwords: authorityPasswords });
    } finally {
      await admin.end();
    }
  }

  /** From here every commit waits until the standby, too, has flushed it. */
  async commitOnStandbyToo(): Promise<void> {
    this.#standby.following = { port: this.#layout.port('oregon/db-a'), applicationName: STANDBY_NAME };
    await this.#standby.launch();
    this.#primary.setSynchronousStandby(STANDBY_NAME);
    await eventually('the standby is synchronous', STREAMING_WITHIN_MS, async () => {
      const [row] = await this.#primary.instance.query<{ sync: boolean }>(
        `select exists (select from pg_stat_replication where sync_state = 'sync' and flush_lsn is not null) as sync`,
      );
      return row?.sync === true;
    });
  }

  /** Statements of the schema's owner. */
  async asOwner<T>(work: (client: Client) => Promise<T>): Promise<T> {
    const client = new Client(this.login('evergrant_owner'));
    await client.connect();
    try {
      return await work(client);
    } finally {
      await client.end();
    }
  }

  login(user: 'evergrant_owner' | 'evergrant_server'): DatabaseLogin {
    const port = this.#layout.port('oregon/db-a');
    return { host: LOOPBACK, port, database: 'evergrant', user, password: this.#secrets.databasePasswords[user] };
  }

  /** What of PostgreSQL works for the license database: postmasters, backends, the standby's too. */
  processes(): number[] {
    return [...this.#primary.instance.processes(), ...this.#standby.instance.processes()];
  }

  async stop(): Promise<void> {
    const members = [this.#primary, this.#standby];
    for (const { watch } of members) watch.stop();
    await Promise.all([...members.map(({ instance }) => instance), this.#store].map((each) => each.stop('immediate')));
  }
}
