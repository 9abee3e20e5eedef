import { existsSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ClientConfig } from 'pg';
import { chownToPostgres } from '../postgres/account';
import type { Settings } from '../postgres/configuration';
import { copyRunning, unfinishedCopy } from '../postgres/copies';
import type { ExitNotice, PostgresInstance } from '../postgres/instance';
import { HealthMonitor } from './health-monitor';
import { REPLICATION_ROLE } from './roles';
import type { SupervisorTimeouts } from './timeouts';

/** Read by PostgreSQL from its own directory, which is where it runs. */
const PASSWORD_FILE = 'replication.password';
const INSIST_AFTER_MS = 1_000;

/** Whom a instance follows when it follows, and under which name. */
export interface Following {
  readonly port: number;
  readonly applicationName: string;
}

export interface ManagedInstanceOptions {
  readonly postgres: PostgresInstance;
  readonly timeouts: SupervisorTimeouts;
  readonly replicationPassword: string;
  /** Settings this instance always has. */
  readonly settings?: Settings;
  readonly onAnswer: () => void;
  readonly onLaunch: () => void;
  /** Called after the instance itself knows. */
  readonly onExit: (notice: ExitNotice) => void;
}

/** One PostgreSQL instance under supervision: what it is wanted for, and what is known about it. */
export class ManagedInstance {
  readonly postgres: PostgresInstance;
  readonly health: HealthMonitor;
  readonly #options: ManagedInstanceOptions;
  /** Somebody wants it to run. An end from outside withdraws that. */
  isWanted = false;
  /** It ended by itself, with an error: nobody killed it. Cleared by a launch. */
  hasFailed = false;
  following: Following | undefined;
  /** The last timeline it was seen to receive; it is unknown while it is not connected. */
  lastTimeline: number | undefined;
  #synchronousStandby = '';
  #configuredAt = 0;

  constructor(options: ManagedInstanceOptions) {
    this.#options = options;
    this.postgres = options.postgres;
    this.health = new HealthMonitor(options.postgres, {
      pollEveryMs: options.timeouts.pollEveryMs,
      hangAfterMs: options.timeouts.hangAfterMs,
      onAnswer: () => {
        this.lastTimeline = this.health.latest?.timeline ?? this.lastTimeline;
        options.onAnswer();
      },
    });
    options.postgres.onExit((notice) => this.#exited(notice));
  }

  get name(): string {
    return this.postgres.name;
  }

  /** The standby that commits on this instance are to wait for; empty for none. */
  get synchronousStandby(): string {
    return this.#synchronousStandby;
  }

  /** It answers as a primary database, as far as is known. */
  get isWritable(): boolean {
    return this.postgres.isRunning && this.health.latest?.inRecovery === false;
  }

  get isFollowing(): boolean {
    return this.postgres.isRunning && this.health.latest?.inRecovery === true;
  }

  get isStreaming(): boolean {
    return this.health.latest?.receiver?.status === 'streaming';
  }

  /**
   * Starts it as its files say: as a primary database, or, with standby.signal among them, as a follower. Commits wait
   * for nobody at first: who was waited for earlier may be gone.
   */
  async launch(): Promise<void> {
    this.hasFailed = false;
    this.#synchronousStandby = '';
    this.#configuredAt = performance.now();
    this.lastTimeline = undefined;
    this.#writePasswordFile();
    await this.postgres.launch(this.#settings());
    this.health.expect();
    this.#options.onLaunch();
  }

  /** Makes commits on this running instance wait for a standby, or for none. */
  setSynchronousStandby(name: string): void {
    this.#synchronousStandby = name;
    this.#configuredAt = performance.now();
    this.postgres.reconfigure(this.#settings());
  }

  /** Says it again to an instance that has not taken it up, so that no commit ever waits for nobody. */
  insistOnSynchronousStandby(): void {
    const actual = this.health.latest?.synchronousStandbyNames;
    const isOverdue = performance.now() - this.#configuredAt > INSIST_AFTER_MS;
    if (actual !== undefined && actual !== this.#synchronousStandby && isOverdue) {
      this.setSynchronousStandby(this.#synchronousStandby);
    }
  }

  /** Replaces its files by a copy of a running source; the old ones stay usable until the copy is complete. */
  async rebuild(source: ClientConfig, mayReplace: () => boolean): Promise<'rebuilt' | 'given_up'> {
    await copyRunning(source, this.postgres, { silentAfterMs: this.#options.timeouts.hangAfterMs });
    const copy = unfinishedCopy(this.postgres);
    if (!mayReplace()) {
      rmSync(copy, { recursive: true, force: true });
      return 'given_up';
    }
    await this.postgres.kill();
    // This end was ours: it withdraws nothing.
    this.isWanted = true;
    // Two renames leave hardly a moment without files, should this very process be killed.
    const replaced = `${this.postgres.directory}.replaced`;
    rmSync(replaced, { recursive: true, force: true });
    if (existsSync(this.postgres.directory)) renameSync(this.postgres.directory, replaced);
    renameSync(copy, this.postgres.directory);
    rmSync(replaced, { recursive: true, force: true });
    return 'rebuilt';
  }

  /** Stops it and moves its files aside. Resolves to where they are; undefined when there were none. */
  async keep(label: string): Promise<string | undefined> {
    this.isWanted = false;
    await this.postgres.stop('fast', 5_000);
    if (!this.postgres.isInitialised) return undefined;
    const kept = freeName(`${this.postgres.directory}-kept-${label}`);
    renameSync(this.postgres.directory, kept);
    return kept;
  }

  #exited(notice: ExitNotice): void {
    const { code, signal } = notice;
    this.hasFailed = signal === null && code !== 0;
    if (!this.hasFailed) this.isWanted = false;
    this.#options.onExit(notice);
  }

  #settings(): Settings {
    const { timeouts, settings } = this.#options;
    return {
      wal_sender_timeout: `${timeouts.walSenderTimeoutMs}ms`,
      wal_receiver_timeout: `${timeouts.walReceiverTimeoutMs}ms`,
      wal_retrieve_retry_interval: `${timeouts.walRetrieveRetryMs}ms`,
      wal_receiver_status_interval: '1s',
      synchronous_standby_names: this.#synchronousStandby,
      ...(this.following === undefined ? {} : { primary_conninfo: conninfo(this.following) }),
      ...settings,
    };
  }

  #writePasswordFile(): void {
    const file = join(this.postgres.directory, PASSWORD_FILE);
    writeFileSync(file, `*:*:*:${REPLICATION_ROLE}:${this.#options.replicationPassword}\n`, { mode: 0o600 });
    chownToPostgres(file);
  }
}

function conninfo({ port, applicationName }: Following): string {
  return [
    `host=127.0.0.1 port=${port} user=${REPLICATION_ROLE} passfile=${PASSWORD_FILE}`,
    // A link that is cut accepts connections and says nothing.
    `application_name=${applicationName} connect_timeout=3`,
  ].join(' ');
}

function freeName(wished: string): string {
  let name = wished;
  for (let n = 2; existsSync(name); n += 1) name = `${wished}-${n}`;
  return name;
}
