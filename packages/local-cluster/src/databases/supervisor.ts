import { join } from 'node:path';
import type { Region } from '@evergrant/core/regions';
import type { ClientConfig } from 'pg';
import type { Layout } from '../layout';
import { TcpProxy } from '../network/tcp-proxy';
import { clusterHome } from '../postgres/binaries';
import { type ExitNotice, PostgresInstance } from '../postgres/instance';
import type { Profile } from '../profiles';
import { createClusters } from './bootstrap';
import type { EmitSupervisorEvent } from './events';
import { FollowerReconciler } from './follower-reconciler';
import { Pair } from './ha-pair';
import { ManagedInstance } from './managed-instance';
import { DatabaseOperationError, DatabaseOperations } from './operations';
import { isComplete, isServing, type ReadinessInput } from './readiness';
import type { AuthorityRole, LicenseRole, Passwords } from './roles';
import { SerialQueue } from './serial-queue';
import { type FollowerName, INITIAL_STATE, StateFile } from './state-file';
import { type DatabaseStatus, type RegionDatabases, statusOf } from './status';
import { SUPERVISOR_TIMEOUTS, type SupervisorTimeouts } from './timeouts';
import { DATABASE_NAMES, type DatabaseName, Topology } from './topology';

export interface SupervisorOptions {
  readonly layout: Layout;
  /** The world's directory. The clusters go below it, or elsewhere when PostgreSQL's account cannot enter it. */
  readonly home: string;
  /** @default `home`/logs */
  readonly logDirectory?: string;
  readonly profile: Profile;
  readonly databasePasswords: Passwords<LicenseRole>;
  readonly authorityPasswords: Passwords<AuthorityRole>;
  readonly announce: EmitSupervisorEvent;
  /** A database has been started or has ended: its pid is another. */
  readonly onProcessChange?: () => void;
}

const READY_WITHIN_MS = 30_000;
const COMPLETE_WITHIN_MS = 8_000;
const REPEAT_REPORT_AFTER_MS = 5_000;
const START_ANSWER_WITHIN_MS = 15_000;

/**
 * Stands in for the managed database service (RDS Multi-AZ): keeps Oregon's endpoint on a primary database that has
 * every acknowledged commit, keeps followers following, and carries out the orders of a failback. What was ended from
 * outside stays ended until `start` is called.
 */
export class DatabaseSupervisor {
  readonly #options: SupervisorOptions;
  readonly #timeouts: SupervisorTimeouts;
  readonly #home: string;
  readonly #record: StateFile;
  readonly #instances: Readonly<Record<DatabaseName, ManagedInstance>>;
  readonly #pair: Pair;
  readonly #reconcilers: Readonly<Record<FollowerName, FollowerReconciler>>;
  readonly #endpoint: TcpProxy;
  readonly #queues = { oregon: new SerialQueue(), virginia: new SerialQueue() };
  readonly #topology: Topology;
  readonly #orders: DatabaseOperations;
  #bootstrapping: Promise<void> | undefined;
  #isStopping = false;
  #timer: NodeJS.Timeout | undefined;
  #reported: { readonly message: string; readonly at: number } | undefined;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#timeouts = SUPERVISOR_TIMEOUTS[options.profile];
    this.#home = clusterHome(options.home);
    this.#record = new StateFile(join(options.home, 'databases.json'));
    this.#instances = {
      'oregon/db-a': this.#createInstance('oregon/db-a'),
      'oregon/db-b': this.#createInstance('oregon/db-b'),
      'virginia/db': this.#createInstance('virginia/db'),
      'ohio/db': this.#createInstance('ohio/db'),
    };
    this.#endpoint = new TcpProxy({
      name: "Oregon's database endpoint",
      port: options.layout.oregonDatabasePort,
      targetPort: undefined,
    });
    this.#topology = new Topology({
      layout: options.layout,
      record: this.#record,
      instances: this.#instances,
      replicationPassword: options.databasePasswords.evergrant_replication,
    });
    this.#orders = new DatabaseOperations({
      record: this.#record,
      instances: this.#instances,
      topology: this.#topology,
      queues: this.#queues,
      announce: options.announce,
    });
    const shared = { record: this.#record, timeouts: this.#timeouts, announce: options.announce };
    this.#pair = new Pair({
      ...shared,
      instances: this.#instances,
      closeEndpoint: () => this.#endpoint.retarget(undefined),
    });
    this.#reconcilers = {
      'oregon/db-a': new FollowerReconciler({ ...shared, instance: this.#instances['oregon/db-a'] }),
      'oregon/db-b': new FollowerReconciler({ ...shared, instance: this.#instances['oregon/db-b'] }),
      'virginia/db': new FollowerReconciler({ ...shared, instance: this.#instances['virginia/db'] }),
    };
  }

  #createInstance(name: DatabaseName): ManagedInstance {
    const { layout, home, databasePasswords, authorityPasswords } = this.#options;
    const passwords = name === 'ohio/db' ? authorityPasswords : databasePasswords;
    const file = name.replace('/', '-');
    const postgres = new PostgresInstance({
      name,
      directory: join(this.#home, file),
      port: layout.port(name),
      logFile: join(this.#options.logDirectory ?? join(home, 'logs'), `${file}.log`),
      adminPassword: passwords.evergrant_admin,
    });
    return new ManagedInstance({
      postgres,
      timeouts: this.#timeouts,
      replicationPassword: databasePasswords.evergrant_replication,
      settings: name.startsWith('oregon/') ? PAIR_SETTINGS : {},
      onAnswer: () => this.#wake(),
      onLaunch: () => this.#options.onProcessChange?.(),
      onExit: (notice) => this.#ended(name, notice),
    });
  }

  #ended(name: DatabaseName, { code, signal }: ExitNotice): void {
    this.#wake();
    // Ends at creation and at the end of the world are no news.
    if (this.#timer === undefined) return;
    const text = `${name} has ended (${signal ?? `exit code ${code}`}).`;
    this.#options.announce({ source: name, level: 'warning', text });
    this.#options.onProcessChange?.();
  }

  /**
   * Makes the databases of a fresh world, or recovers those of an earlier one, and starts them. Resolves when Oregon's
   * endpoint accepts writes, its standby is in sync and Virginia follows; in a recovered world, as far as that goes.
   */
  bootstrap(): Promise<void> {
    this.#bootstrapping = this.#bootstrap();
    return this.#bootstrapping;
  }

  async #bootstrap(): Promise<void> {
    const isFresh = !this.#record.exists;
    await this.#endpoint.listen();
    if (isFresh) {
      await createClusters({
        primary: this.#instances['oregon/db-a'].postgres,
        followers: [this.#instances['oregon/db-b'].postgres, this.#instances['virginia/db'].postgres],
        store: this.#instances['ohio/db'].postgres,
        databasePasswords: this.#options.databasePasswords,
        authorityPasswords: this.#options.authorityPasswords,
      });
      this.#record.write(INITIAL_STATE);
    }
    this.#assertNotStopping();
    for (const name of DATABASE_NAMES) {
      this.#instances[name].health.start();
      this.#instances[name].isWanted = this.#topology.isInUse(name);
    }
    this.#orders.resume();
    this.#timer = setInterval(() => this.#wake(), this.#timeouts.pollEveryMs);
    await this.#instances['ohio/db'].launch();
    this.#wake();
    await this.#untilReady(isFresh);
  }

  /** Shuts every database down, within seconds, and closes the endpoint. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#bootstrapping?.catch(() => undefined);
    clearInterval(this.#timer);
    this.#timer = undefined;
    const instances = Object.values(this.#instances);
    for (const instance of instances) {
      instance.isWanted = false;
      instance.health.stop();
    }
    await Promise.all(instances.map(({ postgres }) => postgres.stop('fast', 5_000)));
    await Promise.all([this.#queues.oregon.idle(), this.#queues.virginia.idle()]);
    // A queue that was at work may have launched one meanwhile.
    await Promise.all(instances.map(({ postgres }) => postgres.kill()));
    await this.#endpoint.close();
  }

  /** Starts a database that has ended. Resolves to a sentence that says what has come of it. */
  async start(name: DatabaseName): Promise<string> {
    const instance = this.#instances[name];
    // The news of a kill a moment ago may still be on its way.
    if (instance.postgres.isRunning) await new Promise((resume) => setTimeout(resume, 100));
    if (instance.postgres.isRunning) return `${name} runs already (${this.#statusOf(name).summary}).`;
    if (!this.#topology.isInUse(name)) {
      throw new DatabaseOperationError(`${name} is not in use now: its place is being prepared or was put aside.`);
    }
    instance.isWanted = true;
    if (name === 'ohio/db') await instance.launch();
    else this.#reconcilers[name].resetBackoff();
    const deadline = performance.now() + START_ANSWER_WITHIN_MS;
    while (performance.now() < deadline) {
      this.#wake();
      await new Promise((resume) => setTimeout(resume, 50));
      if (instance.health.latest !== undefined) return this.#startedSentence(name);
      if (!instance.isWanted) break;
      if (!instance.postgres.isRunning && this.#waitsForSource(name)) return this.#waitingSentence(name);
    }
    if (instance.postgres.isRunning) return `${name} runs, but does not answer yet.`;
    throw new DatabaseOperationError(`${name} could not be started:\n${instance.postgres.logTail()}`);
  }

  /** Puts a region's own databases aside under a label, for reconciliation. Returns at once; ask `region`. */
  keep(region: Region, label: string): RegionDatabases {
    return this.#orders.keep(region, label);
  }

  /** Makes a follower of the other region's primary database in this region. Returns at once; ask `region`. */
  follow(region: Region): RegionDatabases {
    return this.#orders.follow(region);
  }

  /** What a region's databases are for, and how far the last order is. */
  region(region: Region): RegionDatabases {
    return this.#orders.region(region);
  }

  status(): DatabaseStatus[] {
    return DATABASE_NAMES.map((name) => this.#statusOf(name));
  }

  /** The postmaster's pid, undefined when it does not run. */
  pid(name: DatabaseName): number | undefined {
    return this.#instances[name].postgres.pid;
  }

  /** The postmaster and its backends: each is in a session of its own, so no process group reaches them. */
  processes(name: DatabaseName): number[] {
    return this.#instances[name].postgres.processes();
  }

  /** How to connect to a database as its admin role, past the endpoint. */
  adminConnection(name: DatabaseName, database = 'evergrant'): ClientConfig {
    return this.#instances[name].postgres.connection({ database });
  }

  // ---- the queues

  /** Lets each region's rules be asked, unless something is being done there anyway. */
  #wake(): void {
    this.#updateEndpoint();
    if (this.#timer === undefined) return;
    for (const region of ['oregon', 'virginia'] as const) {
      const queue = this.#queues[region];
      if (!queue.isBusy) void queue.run(() => this.#stepUntilQuiet(region)).catch((error) => this.#report(error));
    }
  }

  async #stepUntilQuiet(region: Region): Promise<void> {
    while (this.#timer !== undefined && (await this.#step(region))) this.#updateEndpoint();
  }

  async #step(region: Region): Promise<boolean> {
    const { state } = this.#record.current.regions[region];
    if (state === 'kept' || state === 'building') return false;
    if (region === 'virginia') return this.#stepFollower('virginia', 'virginia/db');
    if (state === 'following') return this.#stepFollower('oregon', this.#record.current.primary);
    return (await this.#pair.step()) || this.#tend(this.#pair.standbyName);
  }

  async #stepFollower(region: Region, name: FollowerName): Promise<boolean> {
    const isPromoted = this.#instances[name].isWritable;
    if (this.#record.current.regions[region].state === 'following' && isPromoted) {
      this.#recordPromotion(region, name);
      return true;
    }
    return this.#tend(name);
  }

  #tend(name: FollowerName): Promise<boolean> {
    return this.#reconcilers[name].step(this.#topology.sourceOf(name));
  }

  /** Somebody has promoted a region's follower: it is the region's primary database from now on. */
  #recordPromotion(region: Region, name: FollowerName): void {
    this.#options.announce({
      source: name,
      level: 'good',
      text: `${name} has been promoted: it is a primary database now.`,
    });
    if (region === 'virginia') {
      this.#record.writeLineage('virginia/db', 'promoted');
    } else {
      this.#record.write({ isStandbyEligible: false });
      this.#record.writeLineage(this.#pair.standbyName, 'stale');
      this.#instances[this.#pair.standbyName].isWanted = true;
    }
    this.#record.writeRegion(region, 'running');
  }

  /** The rules are asked again and again; the same failure is told now and then. */
  #report(error: Error): void {
    const now = performance.now();
    if (error.message === this.#reported?.message && now - this.#reported.at < REPEAT_REPORT_AFTER_MS) return;
    this.#reported = { message: error.message, at: now };
    this.#options.announce({
      source: 'databases',
      level: 'warning',
      text: `a step failed and is tried again: ${error.message}`,
    });
  }

  // ---- the endpoint

  /** The endpoint leads to the primary database, or to the follower that will become it; to nobody else, ever. */
  #updateEndpoint(): void {
    const { state } = this.#record.current.regions.oregon;
    const { primary } = this.#pair;
    const isServing = state === 'following' ? primary.isFollowing || primary.isWritable : primary.isWritable;
    const isOpen = (state === 'running' || state === 'following') && isServing;
    this.#endpoint.retarget(isOpen ? primary.postgres.port : undefined);
  }

  // ---- words

  #statusOf(name: DatabaseName): DatabaseStatus {
    return statusOf({
      instance: this.#instances[name],
      record: this.#record.current,
      source: this.#sourceOf(name),
      hangAfterMs: this.#timeouts.hangAfterMs,
    });
  }

  #sourceOf(name: DatabaseName): ManagedInstance | undefined {
    return name === 'ohio/db' ? undefined : this.#topology.sourceOf(name).primary();
  }

  #startedSentence(name: DatabaseName): string {
    const { summary, role } = this.#statusOf(name);
    const isLeft = role === 'standby' && !this.#pair.primary.postgres.isRunning;
    if (!isLeft || this.#record.current.isStandbyEligible) return `${name} runs (${summary}).`;
    const { name: last } = this.#pair.primary;
    return `${name} runs, but may miss commits of ${last}, the last primary database, and is not promoted. Start ${last}.`;
  }

  #waitsForSource(name: DatabaseName): boolean {
    return (
      name !== 'ohio/db' && this.#record.current.lineages[name] === 'stale' && this.#sourceOf(name)?.isWritable !== true
    );
  }

  #waitingSentence(name: DatabaseName): string {
    const source = this.#sourceOf(name);
    const waits = `${name} waits: it has to be built anew from ${source?.name ?? 'a primary database'}, which`;
    return source?.postgres.isRunning
      ? `${waits} is not writable yet. It goes on by itself.`
      : `${waits} does not run. Start that first.`;
  }

  /** A fresh world is complete or has failed; a recovered one starts with what serves, and the rest joins later. */
  async #untilReady(isFresh: boolean): Promise<void> {
    const began = performance.now();
    for (let now = this.#readiness(); !isComplete(now); now = this.#readiness()) {
      this.#assertNotStopping();
      const waitedMs = performance.now() - began;
      if (!isFresh && waitedMs > COMPLETE_WITHIN_MS && isServing(now)) return;
      if (waitedMs > READY_WITHIN_MS) {
        const states = this.status().map(({ name, summary }) => `${name}: ${summary}`);
        throw new Error(`the databases are not ready after ${READY_WITHIN_MS} ms: ${states.join('; ')}`);
      }
      await new Promise((resume) => setTimeout(resume, 20));
    }
  }

  #readiness(): ReadinessInput {
    return { record: this.#record.current, instances: this.#instances, topology: this.#topology };
  }

  #assertNotStopping(): void {
    if (this.#isStopping) throw new Error('the databases are being stopped while they start');
  }
}

/** A crash of one backend ends the instance: its recovery would show commits that the standby may not have. */
const PAIR_SETTINGS = { restart_after_crash: 'off' };
