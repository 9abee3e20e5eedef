import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { chownToPostgres } from '@evergrant/local-cluster/postgres/account';
import { copyRunning, unfinishedCopy } from '@evergrant/local-cluster/postgres/copies';
import { PostgresInstance } from '@evergrant/local-cluster/postgres/instance';
import { migrate } from '@evergrant/server/platform/postgres/migrations';
import { makeRoles } from '@evergrant/server/platform/postgres/roles';
import { Client, escapeLiteral } from 'pg';

const ADMIN_PASSWORD = 'only-for-tests';
const OWNER = 'evergrant_owner';

/** The real databases behind the emulated RDS, by their RDS identifiers. */
export class DatabaseModel {
  readonly #home: string;
  readonly #tls: { readonly cert: string; readonly key: string };
  readonly #freePort: () => Promise<number>;
  readonly #instances = new Map<string, PostgresInstance>();
  readonly #all: PostgresInstance[] = [];
  readonly #settings = new Map<PostgresInstance, Readonly<Record<string, string>>>();

  constructor(options: { home: string; tls: { cert: string; key: string }; freePort: () => Promise<number> }) {
    this.#home = options.home;
    this.#tls = options.tls;
    this.#freePort = options.freePort;
  }

  of(identifier: string): PostgresInstance {
    const instance = this.#instances.get(identifier);
    if (instance === undefined) throw new Error(`there is no database ${identifier}`);
    return instance;
  }

  get(identifier: string): PostgresInstance | undefined {
    return this.#instances.get(identifier);
  }

  /** A primary database as RDS creates it: empty, with its owner. */
  async makeEmpty(identifier: string, ownerPassword: string): Promise<PostgresInstance> {
    const instance = await this.#make(identifier);
    await instance.init();
    await this.#start(instance);
    await instance.query(`create role ${OWNER} login createrole password ${escapeLiteral(ownerPassword)}`);
    await instance.query(`grant pg_monitor to ${OWNER} with admin option`);
    await instance.query(`create database evergrant owner ${OWNER}`);
    return instance;
  }

  /** A primary database with the license schema and the roles of the migration task. */
  async makePrimary(identifier: string, passwords: Readonly<Record<string, string>>): Promise<void> {
    const instance = await this.makeEmpty(identifier, ADMIN_PASSWORD);
    const owner = new Client(instance.connection({ user: OWNER, password: ADMIN_PASSWORD, database: 'evergrant' }));
    await owner.connect();
    try {
      await makeRoles(owner, passwords);
      await migrate(owner);
    } finally {
      await owner.end();
    }
  }

  /** A follower by a copy over the network, as RDS creates it. */
  async follow(identifier: string, source: string): Promise<void> {
    const from = this.of(source);
    const instance = await this.#make(identifier);
    await copyRunning(from.connection(), instance, { silentAfterMs: 10_000 });
    renameSync(unfinishedCopy(instance), instance.directory);
    const following = `host=127.0.0.1 port=${from.port} user=evergrant_admin password=${ADMIN_PASSWORD} application_name=rds`;
    await this.#start(instance, { primary_conninfo: following });
  }

  async promote(identifier: string): Promise<void> {
    await this.of(identifier).query('select pg_promote(true, 30)');
  }

  /** "When you change the DB instance identifier, an instance reboot occurs": every connection ends. */
  async rename(identifier: string, name: string): Promise<void> {
    const instance = this.of(identifier);
    this.#instances.delete(identifier);
    this.#instances.set(name, instance);
    await this.#restart(instance);
  }

  async reboot(identifier: string): Promise<void> {
    await this.#restart(this.of(identifier));
  }

  async #restart(instance: PostgresInstance): Promise<void> {
    await instance.stop();
    await instance.start({ settings: this.#settings.get(instance) ?? {} });
  }

  async end(): Promise<void> {
    await Promise.all(this.#all.map((instance) => instance.kill()));
  }

  async #make(identifier: string): Promise<PostgresInstance> {
    const number = this.#all.length;
    const instance = new PostgresInstance({
      name: identifier,
      directory: join(this.#home, `db-${number}`),
      port: await this.#freePort(),
      logFile: join(this.#home, `db-${number}.log`),
      adminPassword: ADMIN_PASSWORD,
    });
    this.#all.push(instance);
    this.#instances.set(identifier, instance);
    return instance;
  }

  async #start(instance: PostgresInstance, own: Readonly<Record<string, string>> = {}): Promise<void> {
    this.#settings.set(instance, { ...this.#settingsOf(instance), ...own });
    await instance.start({ settings: this.#settings.get(instance) ?? {} });
  }

  /** TLS is on, with a certificate for the names that RDS assigns. */
  #settingsOf(instance: PostgresInstance): Record<string, string> {
    const path = (name: string, content: string): string => {
      const file = `${instance.directory}.${name}`;
      writeFileSync(file, content, { mode: 0o600 });
      chownToPostgres(file);
      return file;
    };
    return {
      ssl: 'on',
      ssl_cert_file: path('crt', this.#tls.cert),
      ssl_key_file: path('key', this.#tls.key),
      fsync: 'off',
      wal_receiver_status_interval: '1s',
    };
  }
}
