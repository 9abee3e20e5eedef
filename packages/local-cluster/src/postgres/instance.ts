import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { Client, type ClientConfig, type QueryResultRow } from 'pg';
import { chownToPostgres, postgresAccount } from './account';
import { postgresBinaries } from './binaries';
import { clusterProcesses, endCluster, signalAll } from './cluster-processes';
import { type Settings, writeConfiguration } from './configuration';

export const ADMIN_ROLE = 'evergrant_admin';

export interface InstanceOptions {
  /** Display name, for example `oregon/db-a`. Appears in errors only. */
  readonly name: string;
  /** The cluster's directory. PostgreSQL's account must be able to enter the parent directory (see `clusterHome`). */
  readonly directory: string;
  readonly port: number;
  /** PostgreSQL's log file. Each start appends to it. */
  readonly logFile: string;
  readonly adminPassword: string;
}

export interface ExitNotice {
  readonly pid: number;
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface StartOptions {
  readonly settings?: Settings;
  readonly deadlineMs?: number;
}

const START_DEADLINE_MS = 30_000;
const STOP_DEADLINE_MS = 10_000;
const READY_POLL_MS = 25;
const DISCONNECT_TIMEOUT_MS = 1_000;

/** One PostgreSQL cluster on this machine. While it runs, its postmaster is a detached child of this process. */
export class PostgresInstance {
  readonly name: string;
  readonly directory: string;
  readonly port: number;
  readonly #options: InstanceOptions;
  readonly #exitListeners = new Set<(notice: ExitNotice) => void>();
  #child: ChildProcess | undefined;
  #exited: Promise<void> = Promise.resolve();

  constructor(options: InstanceOptions) {
    this.name = options.name;
    mkdirSync(dirname(options.directory), { recursive: true });
    // The kernel reports working directories without symbolic links, and the search for a cluster's processes uses
    // them.
    this.directory = join(realpathSync(dirname(options.directory)), options.directory.split('/').at(-1) ?? '');
    this.port = options.port;
    this.#options = options;
  }

  /** The postmaster's pid. Undefined while it does not run. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  get isRunning(): boolean {
    return this.#child !== undefined;
  }

  get isInitialised(): boolean {
    return existsSync(join(this.directory, 'PG_VERSION'));
  }

  /** Creates the cluster with the admin role as its only role. Takes about a second. */
  async init(): Promise<void> {
    this.prepareDirectory();
    const passwordFile = `${this.directory}.initdb-password`;
    writeFileSync(passwordFile, `${this.#options.adminPassword}\n`, { mode: 0o600 });
    chownToPostgres(passwordFile);
    try {
      await promisify(execFile)(
        postgresBinaries().initdb,
        [
          ...['-D', this.directory, '-U', ADMIN_ROLE, `--pwfile=${passwordFile}`, '--auth=scram-sha-256'],
          ...['--encoding=UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'],
          // Small WAL segments keep copies small: every database of a world is a copy.
          ...['--wal-segsize=4', '--no-sync', '--no-instructions'],
        ],
        { ...postgresAccount(), cwd: dirname(this.directory), env: programEnvironment() },
      );
    } catch (cause) {
      throw new Error(`${this.name}: initdb failed: ${(cause as { stderr?: string }).stderr ?? cause}`, { cause });
    } finally {
      rmSync(passwordFile, { force: true });
    }
  }

  /** Creates an empty directory with the right owner, for initdb or for a copy. Removes existing content. */
  prepareDirectory(directory = this.directory): void {
    rmSync(directory, { recursive: true, force: true });
    mkdirSync(directory, { mode: 0o700 });
    chownToPostgres(directory);
  }

  /**
   * Writes the configuration, starts the postmaster and waits until it answers SQL, as a primary or as a follower. Ends
   * remaining processes of an earlier postmaster on this cluster first. @returns the pid
   */
  async start({ settings = {}, deadlineMs = START_DEADLINE_MS }: StartOptions = {}): Promise<number> {
    const pid = await this.launch(settings);
    try {
      await this.waitUntilReady(deadlineMs);
    } catch (error) {
      await this.kill();
      throw error;
    }
    return pid;
  }

  /** As `start`, but does not wait for SQL: a follower whose source is down may answer only much later. */
  async launch(settings: Settings = {}): Promise<number> {
    if (this.#child !== undefined) throw new Error(`${this.name} runs already (pid ${this.#child.pid})`);
    await endCluster(this.directory);
    // No process of this cluster runs, so the lock is stale. Its pid may belong to another process.
    rmSync(join(this.directory, 'postmaster.pid'), { force: true });
    writeConfiguration(this.directory, this.port, settings);
    return this.#spawn();
  }

  /**
   * Replaces the configuration of a running instance. New sessions use it once `show` in one of them returns it. It
   * also works while every statement waits.
   */
  reconfigure(settings: Settings): void {
    writeConfiguration(this.directory, this.port, settings);
    this.signal('SIGHUP');
  }

  #spawn(): Promise<number> {
    mkdirSync(dirname(this.#options.logFile), { recursive: true });
    const log = openSync(this.#options.logFile, 'a', 0o600);
    const child = spawn(postgresBinaries().postgres, ['-D', this.directory], {
      ...postgresAccount(),
      cwd: this.directory,
      env: programEnvironment(),
      stdio: ['ignore', log, log],
      detached: true,
    });
    closeSync(log);
    return new Promise((resolve, reject) => {
      child.once('error', (cause) => reject(new Error(`${this.name} failed to start: ${cause.message}`, { cause })));
      child.once('spawn', () => {
        this.#child = child;
        this.#exited = new Promise((exited) => {
          child.once('exit', (code, signal) => {
            this.#child = undefined;
            exited();
            for (const listener of this.#exitListeners) listener({ pid: child.pid as number, code, signal });
          });
        });
        resolve(child.pid as number);
      });
    });
  }

  /**
   * Polls until the instance answers SQL. Fails with the end of the log when the instance exits or the deadline passes.
   */
  async waitUntilReady(deadlineMs = START_DEADLINE_MS): Promise<void> {
    const deadline = performance.now() + deadlineMs;
    for (;;) {
      if (this.#child === undefined) throw new Error(`${this.name} exited during its start:\n${this.logTail()}`);
      try {
        await this.query('select 1');
        return;
      } catch (cause) {
        if (performance.now() <= deadline) {
          await new Promise((resume) => setTimeout(resume, READY_POLL_MS));
          continue;
        }
        const reason = `${this.name} did not answer within ${deadlineMs} ms (${(cause as Error).message})`;
        throw new Error(`${reason}:\n${this.logTail()}`, { cause });
      }
    }
  }

  /**
   * Shuts down and waits. `fast` ends sessions and writes a checkpoint; `immediate` leaves recovery to the next start.
   * After the deadline it kills the remaining processes.
   */
  async stop(mode: 'fast' | 'immediate' = 'fast', deadlineMs = STOP_DEADLINE_MS): Promise<void> {
    const child = this.#child;
    if (child !== undefined) {
      signalAll(clusterProcesses(this.directory), 'SIGCONT');
      child.kill(mode === 'fast' ? 'SIGINT' : 'SIGQUIT');
      await Promise.race([this.#exited, new Promise((late) => setTimeout(late, deadlineMs).unref())]);
    }
    await this.kill();
  }

  /** Kills the postmaster and every backend, and returns when all have ended. Does nothing when none runs. */
  async kill(): Promise<void> {
    this.#child?.kill('SIGKILL');
    await endCluster(this.directory);
    await this.#exited;
  }

  /** Sends a signal to the postmaster only. */
  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  /** The postmaster and all its backends, including backends that outlived their postmaster. */
  processes(): number[] {
    return clusterProcesses(this.directory);
  }

  /** Registers a listener for every exit of the postmaster. @returns a function that removes the listener */
  onExit(listener: (notice: ExitNotice) => void): () => void {
    this.#exitListeners.add(listener);
    return () => this.#exitListeners.delete(listener);
  }

  /** Connection settings of the admin role. */
  connection(overrides: ClientConfig = {}): ClientConfig {
    return {
      host: '127.0.0.1',
      port: this.port,
      user: ADMIN_ROLE,
      password: this.#options.adminPassword,
      database: 'postgres',
      connectionTimeoutMillis: 5_000,
      ...overrides,
    };
  }

  /** Runs one statement as the admin role in a separate session. */
  async query<Row extends QueryResultRow>(
    sql: string,
    parameters: readonly unknown[] = [],
    overrides: ClientConfig = {},
  ): Promise<Row[]> {
    const client = new Client(this.connection({ query_timeout: 10_000, ...overrides }));
    // A broken connection also fails the statement. Without a listener the event would end this process.
    client.on('error', () => undefined);
    try {
      await client.connect();
      return (await client.query<Row>(sql, [...parameters])).rows;
    } finally {
      // A suspended cluster never answers the Terminate message.
      const ended = client.end().catch(() => undefined);
      await Promise.race([ended, new Promise((late) => setTimeout(late, DISCONNECT_TIMEOUT_MS).unref())]);
    }
  }

  /** The end of PostgreSQL's log, for errors. */
  logTail(lines = 15): string {
    if (!existsSync(this.#options.logFile)) return '(no log)';
    return readFileSync(this.#options.logFile, 'utf8').trimEnd().split('\n').slice(-lines).join('\n');
  }
}

/** Excludes the caller's environment: PG* variables would change PostgreSQL's behaviour. */
function programEnvironment(): NodeJS.ProcessEnv {
  return { PATH: process.env.PATH, LC_ALL: 'C', TZ: 'UTC' };
}
