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
import { HaPair } from './ha-pair';
import { ManagedInstance } from './managed-instance';
import { DatabaseOperations } from './operations';
import { isComplete, isServing, type ReadinessInput } from './readiness';
import { ReconcileLoop } from './reconcile-loop';
import type { AuthorityRole, LicenseRole, Passwords } from './roles';
import { SerialQueue } from './serial-queue';
import { startDatabase } from './start-database';
import { INITIAL_STATE, SupervisorStateFile } from './state-file';
import { type DatabaseStatus, type RegionDatabases, statusOf } from './status';
import { SUPERVISOR_TIMEOUTS, type SupervisorTimeouts } from './timeouts';
import { DATABASE_NAMES, type DatabaseName, Topology } from './topology';

export interface SupervisorOptions {
  readonly layout: Layout;
  /** The state directory. Clusters are created below it, or elsewhere when PostgreSQL's account cannot enter it. */
  readonly home: string;
  /** @default `home`/logs */
  readonly logDirectory?: string;
  readonly profile: Profile;
  readonly databasePasswords: Passwords<LicenseRole>;
  readonly authorityPasswords: Passwords<AuthorityRole>;
  readonly emit: EmitSupervisorEvent;
  /** Called when a database starts or ends, that is when its pid changes. */
  readonly onProcessChange?: () => void;
}

const READY_WITHIN_MS = 30_000;
const COMPLETE_WITHIN_MS = 8_000;

/** A crash of one backend ends the instance: crash recovery would show commits that the standby may not have. */
const PAIR_SETTINGS = { restart_after_crash: 'off' };

/**
 * Local replacement of the managed database service (RDS Multi-AZ). It keeps Oregon's endpoint on a primary database that
 * has every acknowledged commit, keeps followers streaming, and runs the operations of a failback. An instance that was
 * ended from outside stays ended until `start` is called.
 */
export class DatabaseSupervisor {
  readonly #options: SupervisorOptions;
  readonly #timeouts: SupervisorTimeouts;
  readonly #directory: string;
  readonly #state: SupervisorStateFile;
  readonly #instances: Readonly<Record<DatabaseName, ManagedInstance>>;
  readonly #pair: HaPair;
  readonly #endpoint: TcpProxy;
  readonly #queues = { oregon: new SerialQueue(), virginia: new SerialQueue() };
  readonly #topology: Topology;
  readonly #operations: DatabaseOperations;
  readonly #loop: ReconcileLoop;
  #bootstrapping: Promise<void> | undefined;
  #isStopping = false;

  constructor(options: SupervisorOptions) {
    const { layout, emit } = options;
    this.#options = options;
    this.#timeouts = SUPERVISOR_TIMEOUTS[options.profile];
    this.#directory = clusterHome(options.home);
    this.#state = new SupervisorStateFile(join(options.home, 'databases.json'));
    this.#instances = {
      'oregon/db-a': this.#createInstance('oregon/db-a'),
      'oregon/db-b': this.#createInstance('oregon/db-b'),
      'virginia/db': this.#createInstance('virginia/db'),
      'ohio/db': this.#createInstance('ohio/db'),
    };
    const instances = this.#instances;
    const port = layout.oregonDatabasePort;
    this.#endpoint = new TcpProxy({ name: "Oregon's database endpoint", port, targetPort: undefined });
    const replicationPassword = options.databasePasswords.evergrant_replication;
    this.#topology = new Topology({ layout, state: this.#state, instances, replicationPassword });
    this.#operations = new DatabaseOperations({
      state: this.#state,
      instances,
      topology: this.#topology,
      queues: this.#queues,
      emit,
    });
    const shared = { state: this.#state, timeouts: this.#timeouts, emit };
    this.#pair = new HaPair({ ...shared, instances, closeEndpoint: () => this.#endpoint.retarget(undefined) });
    this.#loop = new ReconcileLoop({
      state: this.#state,
      instances,
      pair: this.#pair,
      reconcilers: {
        'oregon/db-a': new FollowerReconciler({ ...shared, instance: instances['oregon/db-a'] }),
        'oregon/db-b': new FollowerReconciler({ ...shared, instance: instances['oregon/db-b'] }),
        'virginia/db': new FollowerReconciler({ ...shared, instance: instances['virginia/db'] }),
      },
      endpoint: this.#endpoint,
      queues: this.#queues,
      topology: this.#topology,
      pollEveryMs: this.#timeouts.pollEveryMs,
      emit,
    });
  }

  #createInstance(name: DatabaseName): ManagedInstance {
    const { layout, home, databasePasswords, authorityPasswords } = this.#options;
    const passwords = name === 'ohio/db' ? authorityPasswords : databasePasswords;
    const file = name.replace('/', '-');
    const postgres = new PostgresInstance({
      name,
      directory: join(this.#directory, file),
      port: layout.port(name),
      logFile: join(this.#options.logDirectory ?? join(home, 'logs'), `${file}.log`),
      adminPassword: passwords.evergrant_admin,
    });
    return new ManagedInstance({
      postgres,
      timeouts: this.#timeouts,
      replicationPassword: databasePasswords.evergrant_replication,
      settings: name.startsWith('oregon/') ? PAIR_SETTINGS : {},
      onAnswer: () => this.#loop.wake(),
      onLaunch: () => this.#options.onProcessChange?.(),
      onExit: (notice) => this.#onExit(name, notice),
    });
  }

  #onExit(name: DatabaseName, { code, signal }: ExitNotice): void {
    this.#loop.wake();
    // During creation and shutdown an exit is expected.
    if (!this.#loop.isRunning) return;
    const text = `${name} has ended (${signal ?? `exit code ${code}`}).`;
    this.#options.emit({ source: name, level: 'warning', text });
    this.#options.onProcessChange?.();
  }

  /**
   * Creates the databases of a new cluster, or recovers those of an earlier one, and starts them. Resolves when Oregon's
   * endpoint accepts writes, its standby is in sync and Virginia streams. A recovered cluster may resolve with less.
   */
  bootstrap(): Promise<void> {
    this.#bootstrapping = this.#bootstrap();
    return this.#bootstrapping;
  }

  async #bootstrap(): Promise<void> {
    const isFresh = !this.#state.exists;
    await this.#endpoint.listen();
    if (isFresh) {
      await createClusters({
        primary: this.#instances['oregon/db-a'].postgres,
        followers: [this.#instances['oregon/db-b'].postgres, this.#instances['virginia/db'].postgres],
        store: this.#instances['ohio/db'].postgres,
        databasePasswords: this.#options.databasePasswords,
        authorityPasswords: this.#options.authorityPasswords,
      });
      this.#state.write(INITIAL_STATE);
    }
    this.#assertNotStopping();
    for (const name of DATABASE_NAMES) {
      this.#instances[name].health.start();
      this.#instances[name].isWanted = this.#topology.isInUse(name);
    }
    this.#operations.resume();
    this.#loop.start();
    await this.#instances['ohio/db'].launch();
    this.#loop.wake();
    await this.#untilReady(isFresh);
  }

  /** Shuts every database down within seconds and closes the endpoint. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#bootstrapping?.catch(() => undefined);
    this.#loop.stop();
    const instances = Object.values(this.#instances);
    for (const instance of instances) {
      instance.isWanted = false;
      instance.health.stop();
    }
    await Promise.all(instances.map(({ postgres }) => postgres.stop('fast', 5_000)));
    await Promise.all([this.#queues.oregon.idle(), this.#queues.virginia.idle()]);
    // A task that was still in a queue may have launched an instance.
    await Promise.all(instances.map(({ postgres }) => postgres.kill()));
    await this.#endpoint.close();
  }

  /** Starts a database that has ended. Resolves to a sentence that states the result. */
  start(name: DatabaseName): Promise<string> {
    return startDatabase(name, {
      state: this.#state,
      instance: this.#instances[name],
      pair: this.#pair,
      loop: this.#loop,
      topology: this.#topology,
      statusOf: () => this.#statusOf(name),
    });
  }

  /** Archives the databases of a region under a label. Returns at once; `region` returns the progress. */
  archive(region: Region, label: string): RegionDatabases {
    return this.#operations.archive(region, label);
  }

  /** Builds a follower of the other region's primary database. Returns at once; `region` returns the progress. */
  follow(region: Region): RegionDatabases {
    return this.#operations.follow(region);
  }

  /** The role of a region's databases and the progress of the last operation. */
  region(region: Region): RegionDatabases {
    return this.#operations.region(region);
  }

  status(): DatabaseStatus[] {
    return DATABASE_NAMES.map((name) => this.#statusOf(name));
  }

  /** The postmaster's pid; undefined when it does not run. */
  pid(name: DatabaseName): number | undefined {
    return this.#instances[name].postgres.pid;
  }

  /** The pids of the postmaster and its backends. Each backend is in its own session, so no process group has all. */
  processes(name: DatabaseName): number[] {
    return this.#instances[name].postgres.processes();
  }

  /** Connection settings of the admin role, directly to the instance and not through the endpoint. */
  adminConnection(name: DatabaseName, database = 'evergrant'): ClientConfig {
    return this.#instances[name].postgres.connection({ database });
  }

  #statusOf(name: DatabaseName): DatabaseStatus {
    return statusOf({
      instance: this.#instances[name],
      state: this.#state.current,
      source: name === 'ohio/db' ? undefined : this.#topology.sourceOf(name).primary(),
      hangAfterMs: this.#timeouts.hangAfterMs,
    });
  }

  /** A new cluster must be complete. A recovered one may start as soon as it serves, and the rest joins later. */
  async #untilReady(isFresh: boolean): Promise<void> {
    const startedAtMs = performance.now();
    for (let now = this.#readiness(); !isComplete(now); now = this.#readiness()) {
      this.#assertNotStopping();
      const waitedMs = performance.now() - startedAtMs;
      if (!isFresh && waitedMs > COMPLETE_WITHIN_MS && isServing(now)) return;
      if (waitedMs > READY_WITHIN_MS) {
        const states = this.status().map(({ name, summary }) => `${name}: ${summary}`);
        throw new Error(`the databases are not ready after ${READY_WITHIN_MS} ms: ${states.join('; ')}`);
      }
      await new Promise((resume) => setTimeout(resume, 20));
    }
  }

  #readiness(): ReadinessInput {
    return { state: this.#state.current, instances: this.#instances, topology: this.#topology };
  }

  #assertNotStopping(): void {
    if (this.#isStopping) throw new Error('the databases are being stopped during their start');
  }
}
