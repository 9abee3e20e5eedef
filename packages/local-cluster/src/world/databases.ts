import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Region } from '@evergrant/core/regions';
import { Client } from 'pg';
import { type AuthorityPasswords, createAuthorityStore } from '../adapters/create-authority-store';
import { DatabaseOperationError } from '../databases/operations';
import { DatabaseSupervisor } from '../databases/supervisor';
import { DATABASE_NAMES, type DatabaseName } from '../databases/topology';
import type { Layout } from '../layout';
import { clusterHome } from '../postgres/binaries';
import { endCluster } from '../postgres/cluster-processes';
import type { Profile } from '../profiles';
import { ControlError } from './control-api';
import type { EventLog } from './events';
import type { DatabaseProcesses } from './process-table';
import type { WorldSecrets } from './secrets';
import type { DatabaseStatus } from './state';

export interface DatabasesOptions {
  readonly home: string;
  readonly layout: Layout;
  readonly profile: Profile;
  readonly secrets: WorldSecrets;
  readonly events: EventLog;
  /** Called on every change of a pid. */
  readonly onChange: () => void;
}

/** Adapts the database supervisor to the process table, the state view and the control API. */
export class Databases implements DatabaseProcesses {
  readonly #supervisor: DatabaseSupervisor;
  /** The last pid of each database, also after its end, so that scripts can still attribute an old pid. */
  readonly #lastPids = new Map<string, number>();

  constructor({ home, layout, profile, secrets, events, onChange }: DatabasesOptions) {
    this.#supervisor = new DatabaseSupervisor({
      home,
      layout,
      profile,
      databasePasswords: secrets.databasePasswords,
      authorityPasswords: secrets.authorityPasswords,
      emit: ({ source, level, text }) => events.add(source, text, level),
      onProcessChange: onChange,
    });
  }

  /** Ends and removes the databases that an earlier run left in this directory. */
  static async remove(home: string): Promise<void> {
    const directory = clusterHome(home);
    for (const name of DATABASE_NAMES) await endCluster(join(directory, name.replace('/', '-')));
    rmSync(directory, { recursive: true, force: true });
  }

  /** Creates or recovers the databases. Resolves when they can be used. */
  startAll(): Promise<void> {
    return this.#supervisor.bootstrap();
  }

  stopAll(): Promise<void> {
    return this.#supervisor.stop();
  }

  /** Creates the schema and the first records of the authority store on ohio/db. Idempotent. */
  async prepareAuthorityStore(passwords: AuthorityPasswords): Promise<void> {
    const client = new Client(this.#supervisor.adminConnection('ohio/db'));
    await client.connect();
    try {
      await createAuthorityStore(client, { passwords });
    } finally {
      await client.end();
    }
  }

  /** Whether the region has a writable primary database. */
  isWritable(region: Region): boolean {
    return this.#supervisor
      .status()
      .some(
        ({ name, role, inRecovery }) => name.startsWith(`${region}/`) && role === 'primary' && inRecovery === false,
      );
  }

  views(): DatabaseStatus[] {
    return this.#supervisor
      .status()
      .map(({ name, summary, isHealthy }) => ({ name, role: summary, healthy: isHealthy }));
  }

  /** The databases of one region, as the controller reads them, or the status of every instance. */
  report(region?: Region): unknown {
    return region ? this.#supervisor.region(region) : { databases: this.#supervisor.status() };
  }

  /** Starts to archive the databases of a region. @throws ControlError when the state does not allow it. */
  archive(region: Region, label: string): unknown {
    return asControlError(() => this.#supervisor.archive(region, label));
  }

  /** Starts to build a follower in a region. @throws ControlError when the state does not allow it. */
  follow(region: Region): unknown {
    return asControlError(() => this.#supervisor.follow(region));
  }

  freezableProcesses(): { name: string; pid(): number | undefined; processTree(): readonly number[] }[] {
    return DATABASE_NAMES.map((name) => ({
      name,
      pid: () => this.#supervisor.pid(name),
      processTree: () => this.#supervisor.processes(name),
    }));
  }

  pid(name: string): number | undefined {
    const pid = this.#supervisor.pid(databaseName(name));
    if (pid !== undefined) this.#lastPids.set(name, pid);
    return pid ?? this.#lastPids.get(name);
  }

  isRunning(name: string): boolean {
    return this.#supervisor.pid(databaseName(name)) !== undefined;
  }

  processTree(name: string): readonly number[] {
    return this.#supervisor.processes(databaseName(name));
  }

  async start(name: string): Promise<string> {
    try {
      return await this.#supervisor.start(databaseName(name));
    } catch (error) {
      throw translated(error);
    }
  }
}

function databaseName(name: string): DatabaseName {
  const known = DATABASE_NAMES.find((candidate) => candidate === name);
  if (!known) throw new ControlError('unknown_process', `there is no database named ${name}`, 422);
  return known;
}

function asControlError<T>(operation: () => T): T {
  try {
    return operation();
  } catch (error) {
    throw translated(error);
  }
}

function translated(error: unknown): unknown {
  return error instanceof DatabaseOperationError ? new ControlError(error.code, error.message) : error;
}
