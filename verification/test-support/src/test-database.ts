import { randomBytes } from 'node:crypto';
import { ADMIN_ROLE } from '@evergrant/local-cluster/postgres/instance';
import type { DatabaseAddress } from '@evergrant/server/platform/postgres/connection';
import { Client, type QueryResultRow } from 'pg';
import { PASSWORD_OF_ALL_ROLES, sharedPostgres, TEMPLATE_DATABASE } from './shared-postgres';

export type TestRole = 'evergrant_admin' | 'evergrant_owner' | 'evergrant_server' | 'evergrant_controller';

/** A separate database for a test: a clone of the migrated template, or an empty one. */
export class TestDatabase {
  readonly name: string;

  private constructor(name: string) {
    this.name = name;
  }

  /** A clone of the migrated license database. About 50 ms. */
  static clone(): Promise<TestDatabase> {
    return TestDatabase.#create(`template ${TEMPLATE_DATABASE} owner evergrant_owner`);
  }

  static empty(): Promise<TestDatabase> {
    return TestDatabase.#create('owner evergrant_owner');
  }

  static async #create(how: string): Promise<TestDatabase> {
    const database = new TestDatabase(`test_${randomBytes(6).toString('hex')}`);
    await onMaintenanceDatabase((client) => client.query(`create database ${database.name} ${how}`));
    return database;
  }

  address(role: TestRole): DatabaseAddress {
    const { port, adminPassword } = sharedPostgres();
    const password = role === ADMIN_ROLE ? adminPassword : PASSWORD_OF_ALL_ROLES;
    return { host: '127.0.0.1', port, name: this.name, user: role, password };
  }

  /** Runs `work` in a separate session. */
  async as<T>(role: TestRole, work: (client: Client) => Promise<T>): Promise<T> {
    const { name: database, ...address } = this.address(role);
    return inSession(new Client({ ...address, database }), work);
  }

  /** Runs one statement as the owner. */
  async query<Row extends QueryResultRow>(sql: string, values: unknown[] = []): Promise<Row[]> {
    return this.as('evergrant_owner', async (client) => (await client.query<Row>(sql, values)).rows);
  }

  /** Refuses new sessions and ends the present ones, as the loss of a database would; `false` lets them in again. */
  async refuseConnections(refuse: boolean): Promise<void> {
    await onMaintenanceDatabase(async (client) => {
      await client.query(`alter database ${this.name} with allow_connections ${!refuse}`);
      if (refuse) await endSessions(client, this.name);
    });
  }

  /** Makes every new session read-only, as a follower is, and ends the present ones. */
  async makeReadOnly(readOnly: boolean): Promise<void> {
    await onMaintenanceDatabase(async (client) => {
      await client.query(`alter database ${this.name} set default_transaction_read_only = ${readOnly}`);
      await endSessions(client, this.name);
    });
  }

  async drop(): Promise<void> {
    await onMaintenanceDatabase((client) => client.query(`drop database if exists ${this.name} with (force)`));
  }
}

async function endSessions(client: Client, database: string): Promise<void> {
  await client.query('select pg_terminate_backend(pid) from pg_stat_activity where datname = $1', [database]);
}

function onMaintenanceDatabase<T>(work: (client: Client) => Promise<T>): Promise<T> {
  const { port, adminPassword: password } = sharedPostgres();
  return inSession(new Client({ host: '127.0.0.1', port, user: ADMIN_ROLE, password, database: 'postgres' }), work);
}

async function inSession<T>(client: Client, work: (client: Client) => Promise<T>): Promise<T> {
  client.on('error', () => undefined);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}
