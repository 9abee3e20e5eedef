import { rmSync } from 'node:fs';
import { Client } from 'pg';
import type { SupervisorEvent } from '../../src/databases/events';
import { DatabaseSupervisor } from '../../src/databases/supervisor';
import type { DatabaseName } from '../../src/databases/topology';
import { Layout, LINK_NAMES, type LinkName } from '../../src/layout';
import { TcpProxy } from '../../src/network/tcp-proxy';
import { signalAll } from '../../src/postgres/cluster-processes';
import { scratchHome } from '../postgres/scratch-home';

const PASSWORDS = {
  evergrant_admin: "an admin's password",
  evergrant_owner: 'owner',
  evergrant_server: 'server',
  evergrant_controller: 'controller',
  evergrant_replication: 'replication',
};

/** The databases of a local cluster and their network links, without the other processes. */
export class DatabaseWorld {
  readonly layout: Layout;
  readonly home: string;
  readonly links: Readonly<Record<LinkName, TcpProxy>>;
  readonly events: SupervisorEvent[] = [];
  supervisor: DatabaseSupervisor;

  constructor(basePort: number) {
    this.layout = new Layout(basePort);
    this.home = scratchHome();
    this.links = Object.fromEntries(
      LINK_NAMES.map((name) => {
        const [port, targetPort] = [this.layout.linkPort(name), this.layout.linkTargetPort(name)];
        return [name, new TcpProxy({ name, port, targetPort })];
      }),
    ) as Record<LinkName, TcpProxy>;
    this.supervisor = this.#supervisor();
  }

  #supervisor(): DatabaseSupervisor {
    return new DatabaseSupervisor({
      layout: this.layout,
      home: this.home,
      profile: 'fast',
      databasePasswords: PASSWORDS,
      authorityPasswords: { ...PASSWORDS, evergrant_admin: 'another' },
      emit: (event) => this.events.push(event),
    });
  }

  async start(): Promise<void> {
    await Promise.all(Object.values(this.links).map((link) => link.listen()));
    await this.supervisor.bootstrap();
    await this.owner((client) => client.query('create table if not exists kept (n bigint primary key, at text)'));
  }

  async stop(): Promise<void> {
    await this.supervisor.stop();
    await Promise.all(Object.values(this.links).map((link) => link.close()));
    rmSync(this.home, { recursive: true, force: true });
  }

  /** Simulates a new main process after kill -9 of the old one and of every database. */
  async crashAndRestart(): Promise<void> {
    for (const name of ['oregon/db-a', 'oregon/db-b', 'virginia/db', 'ohio/db'] as const) this.kill(name);
    await this.supervisor.stop();
    this.supervisor = this.#supervisor();
    await this.supervisor.bootstrap();
  }

  /** kill -9 of the postmaster only, as an external script does. */
  kill(name: DatabaseName): void {
    const pid = this.supervisor.pid(name);
    if (pid !== undefined) process.kill(pid, 'SIGKILL');
  }

  /** Suspends or resumes a database with all its backends. A backend may end before its signal. */
  signalTree(name: DatabaseName, signal: 'SIGSTOP' | 'SIGCONT'): void {
    signalAll(this.supervisor.processes(name), signal);
  }

  status(name: DatabaseName) {
    const status = this.supervisor.status().find((each) => each.name === name);
    if (status === undefined) throw new Error(`no status of ${name}`);
    return status;
  }

  summary(name: DatabaseName): string {
    return this.status(name).summary;
  }

  async until(what: string, holds: () => boolean | Promise<boolean>, deadlineMs = 20_000): Promise<void> {
    const deadline = performance.now() + deadlineMs;
    const holdsNow = async () => holds();
    // A database that is ending or starting may refuse the query.
    while (!(await holdsNow().catch(() => false))) {
      if (performance.now() > deadline) throw new Error(`not within ${deadlineMs} ms: ${what}\n${this.#history()}`);
      await new Promise((resume) => setTimeout(resume, 20));
    }
  }

  async untilSummary(name: DatabaseName, summary: string, deadlineMs?: number): Promise<void> {
    await this.until(`${name}: ${summary}`, () => this.summary(name) === summary, deadlineMs);
  }

  #history(): string {
    const states = this.supervisor.status().map(({ name, summary }) => `${name}: ${summary}`);
    return [...states, ...this.events.map(({ text }) => `- ${text}`)].join('\n');
  }

  /** Runs work in one session of the database owner, by default through Oregon's endpoint. */
  async owner<T>(work: (client: Client) => Promise<T>, port = this.layout.oregonDatabasePort): Promise<T> {
    const client = new Client({
      host: '127.0.0.1',
      port,
      user: 'evergrant_owner',
      password: PASSWORDS.evergrant_owner,
      database: 'evergrant',
      connectionTimeoutMillis: 3_000,
      query_timeout: 30_000,
    });
    client.on('error', () => undefined);
    try {
      await client.connect();
      return await work(client);
    } finally {
      client.end().catch(() => undefined);
    }
  }

  async insert(n: number): Promise<void> {
    await this.owner((client) => client.query('insert into kept values ($1)', [n]));
  }

  /** The rows of a database, read directly and not through the endpoint. */
  async rows(name: DatabaseName): Promise<number[]> {
    const { rows } = await this.owner(
      (client) => client.query<{ n: string }>('select n from kept'),
      this.layout.port(name),
    );
    return rows.map(({ n }) => Number(n));
  }
}

/** Writes as fast as one session allows, reconnects after errors, and records the acknowledged rows. */
export class Writer {
  readonly acknowledged: number[] = [];
  /** The longest time between two acknowledgements. */
  longestPauseMs = 0;
  readonly #world: DatabaseWorld;
  readonly #done: Promise<void>;
  #writing = true;
  #next: number;
  #lastAt = performance.now();

  constructor(world: DatabaseWorld, from: number) {
    this.#world = world;
    this.#next = from;
    this.#done = this.#run();
  }

  async #run(): Promise<void> {
    while (this.#writing) {
      await this.#world.owner((client) => this.#session(client)).catch(() => undefined);
      await new Promise((resume) => setTimeout(resume, 10));
    }
  }

  async #session(client: Client): Promise<void> {
    while (this.#writing) {
      const n = this.#next++;
      await client.query('insert into kept values ($1)', [n]);
      this.acknowledged.push(n);
      this.longestPauseMs = Math.max(this.longestPauseMs, performance.now() - this.#lastAt);
      this.#lastAt = performance.now();
    }
  }

  async stop(): Promise<void> {
    this.#writing = false;
    await this.#done;
  }
}
