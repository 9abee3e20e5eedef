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
import type { DatabaseView } from './state';

export interface DatabasesOptions {
  readonly home: string;
  readonly layout: Layout;
  readonly profile: Profile;
  readonly secrets: WorldSecrets;
  readonly events: EventLog;
  /** Called whenever a pid came or went. */
  readonly onChange: () => void;
}

/** The database supervisor as the rest of the world sees it: its names, its words, its errors. */
export class Databases implements DatabaseProcesses {
  private readonly supervisor: DatabaseSupervisor;
  /** Kept after an end: scripts that hold an old pid can still tell whose it was. */
  private readonly lastPids = new Map<string, number>();

  constructor({ home, layout, profile, secrets, events, onChange }: DatabasesOptions) {
    this.supervisor = new DatabaseSupervisor({
      home,
      layout,
      profile,
      databasePasswords: secrets.databasePasswords,
      authorityPasswords: secrets.authorityPasswords,
      announce: ({ source, level, text }) => events.add(source, text, level),
      onProcessChange: onChange,
    });
  }

  /** Ends and removes the databases that an earlier world left in this folder. */
  static async forget(home: string): Promise<void> {
    const directory = clusterHome(home);
    for (const name of DATABASE_NAMES) await endCluster(join(directory, name.replace('/', '-')));
    rmSync(directory, { recursive: true, force: true });
  }

  /** Fresh or recovered: resolves when the databases can be used. */
  bringUp(): Promise<void> {
    return this.supervisor.bootstrap();
  }

  bringDown(): Promise<void> {
    return this.supervisor.stop();
  }

  /** Schema and seed of the authority store on ohio/db; running it again changes nothing. */
  async prepareAuthorityStore(passwords: AuthorityPasswords): Promise<void> {
    const client = new Client(this.supervisor.adminConnection('ohio/db'));
    await client.connect();
    try {
      await createAuthorityStore(client, { passwords });
    } finally {
      await client.end();
    }
  }

  /** Whether a primary database answers in the region. */
  isWritable(region: Region): boolean {
    return this.supervisor
      .status()
      .some(
        ({ name, role, inRecovery }) => name.startsWith(`${region}/`) && role === 'primary' && inRecovery === false,
      );
  }

  views(): DatabaseView[] {
    return this.supervisor
      .status()
      .map(({ name, summary, isHealthy }) => ({ name, role: summary, healthy: isHealthy }));
  }

  /** One region's databases as the controller asks for them, or every instance. */
  report(region?: Region): unknown {
    return region ? this.supervisor.region(region) : { databases: this.supervisor.status() };
  }

  /** Begins to put a region's databases aside. @throws ControlError when that cannot be done now. */
  keep(region: Region, label: string): unknown {
    return asControlError(() => this.supervisor.keep(region, label));
  }

  /** Begins to build a follower in a region. @throws ControlError when that cannot be done now. */
  follow(region: Region): unknown {
    return asControlError(() => this.supervisor.follow(region));
  }

  // As processes.

  freezableProcesses(): { name: string; pid(): number | undefined; processTree(): readonly number[] }[] {
    return DATABASE_NAMES.map((name) => ({
      name,
      pid: () => this.supervisor.pid(name),
      processTree: () => this.supervisor.processes(name),
    }));
  }

  pid(name: string): number | undefined {
    const pid = this.supervisor.pid(databaseName(name));
    if (pid !== undefined) this.lastPids.set(name, pid);
    return pid ?? this.lastPids.get(name);
  }

  isRunning(name: string): boolean {
    return this.supervisor.pid(databaseName(name)) !== undefined;
  }

  processTree(name: string): readonly number[] {
    return this.supervisor.processes(databaseName(name));
  }

  async start(name: string): Promise<string> {
    try {
      return await this.supervisor.start(databaseName(name));
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

function asControlError<T>(order: () => T): T {
  try {
    return order();
  } catch (error) {
    throw translated(error);
  }
}

function translated(error: unknown): unknown {
  return error instanceof DatabaseOperationError ? new ControlError(error.code, error.message) : error;
}
