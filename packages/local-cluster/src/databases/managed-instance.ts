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

/** Relative to the cluster's directory, which is PostgreSQL's working directory. */
const PASSWORD_FILE = 'replication.password';
const REAPPLY_AFTER_MS = 1_000;

/** The port of the replication source and this instance's application_name there. */
export interface Following {
  readonly port: number;
  readonly applicationName: string;
}

export interface ManagedInstanceOptions {
  readonly postgres: PostgresInstance;
  readonly timeouts: SupervisorTimeouts;
  readonly replicationPassword: string;
  /** Settings that this instance always has. */
  readonly settings?: Settings;
  readonly onAnswer: () => void;
  readonly onLaunch: () => void;
  /** Called after the instance has updated its own state. */
  readonly onExit: (notice: ExitNotice) => void;
}

/** One supervised PostgreSQL instance: its wanted state and its observed state. */
export class ManagedInstance {
  readonly postgres: PostgresInstance;
  readonly health: HealthMonitor;
  readonly #options: ManagedInstanceOptions;
  /** Whether the instance should run. An end from outside sets it to false. */
  isWanted = false;
  /** The instance exited with an error and was not killed. A launch resets it. */
  hasFailed = false;
  following: Following | undefined;
  /** The last timeline that it received. It is not updated while the instance is not connected. */
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

  /** The standby for which commits on this instance should wait; empty for none. */
  get synchronousStandby(): string {
    return this.#synchronousStandby;
  }

  /** The last health report shows a primary database. */
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
   * Starts the instance: as a follower if standby.signal exists, else as a primary database. Commits wait for no standby
   * at first, because the earlier one may be gone.
   */
  async launch(): Promise<void> {
    this.hasFailed = false;
    this.#synchronousStandby = '';
    this.#configuredAt = performance.now();
    this.lastTimeline = undefined;
    this.#writePasswordFile();
    await this.postgres.launch(this.#settings());
    this.health.resetAfterLaunch();
    this.#options.onLaunch();
  }

  /** Makes commits on this running instance wait for a standby, or for none. */
  setSynchronousStandby(name: string): void {
    this.#synchronousStandby = name;
    this.#configuredAt = performance.now();
    this.postgres.reconfigure(this.#settings());
  }

  /** Applies the setting again if the instance has not adopted it, so that no commit waits for a missing standby. */
  reapplySynchronousStandby(): void {
    const actual = this.health.latest?.synchronousStandbyNames;
    const isOverdue = performance.now() - this.#configuredAt > REAPPLY_AFTER_MS;
    if (actual !== undefined && actual !== this.#synchronousStandby && isOverdue) {
      this.setSynchronousStandby(this.#synchronousStandby);
    }
  }

  /** Replaces the files by a copy of a running source. The old files stay usable until the copy is complete. */
  async rebuild(source: ClientConfig, mayReplace: () => boolean): Promise<'rebuilt' | 'given_up'> {
    await copyRunning(source, this.postgres, { silentAfterMs: this.#options.timeouts.hangAfterMs });
    const copy = unfinishedCopy(this.postgres);
    if (!mayReplace()) {
      rmSync(copy, { recursive: true, force: true });
      return 'given_up';
    }
    await this.postgres.kill();
    // The exit handler has set this to false, but this exit was intended.
    this.isWanted = true;
    // With two renames, the time without files is minimal if this process is killed here.
    const replaced = `${this.postgres.directory}.replaced`;
    rmSync(replaced, { recursive: true, force: true });
    if (existsSync(this.postgres.directory)) renameSync(this.postgres.directory, replaced);
    renameSync(copy, this.postgres.directory);
    rmSync(replaced, { recursive: true, force: true });
    return 'rebuilt';
  }

  /** Stops the instance and renames its directory. Resolves to the new path; undefined when there were no files. */
  async archive(label: string): Promise<string | undefined> {
    this.isWanted = false;
    await this.postgres.stop('fast', 5_000);
    if (!this.postgres.isInitialised) return undefined;
    const archived = unusedPath(`${this.postgres.directory}-kept-${label}`);
    renameSync(this.postgres.directory, archived);
    return archived;
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
    // A cut link accepts connections and never answers.
    `application_name=${applicationName} connect_timeout=3`,
  ].join(' ');
}

function unusedPath(wanted: string): string {
  let path = wanted;
  for (let n = 2; existsSync(path); n += 1) path = `${wanted}-${n}`;
  return path;
}
