import type { Region } from '@evergrant/core/regions';
import type { EmitSupervisorEvent } from './events';
import type { ManagedInstance } from './managed-instance';
import type { SerialQueue } from './serial-queue';
import type { FollowerName, SupervisorStateFile } from './state-file';
import type { RegionDatabases } from './status';
import type { DatabaseName, Topology } from './topology';

/** An operation that the present state does not allow. */
export class DatabaseOperationError extends Error {
  readonly code = 'database_order_refused';
}

export interface DatabaseOperationsOptions {
  readonly state: SupervisorStateFile;
  readonly instances: Readonly<Record<DatabaseName, ManagedInstance>>;
  readonly topology: Topology;
  readonly queues: Readonly<Record<Region, SerialQueue>>;
  readonly emit: EmitSupervisorEvent;
}

/**
 * The database operations of a failback. Each is accepted at once, is stored in the state file before it changes
 * anything, and is idempotent: a repeated call finishes the operation or does nothing when it is done.
 */
export class DatabaseOperations {
  readonly #options: DatabaseOperationsOptions;
  readonly #running = new Set<Region>();
  readonly #failures = new Map<Region, string>();

  constructor(options: DatabaseOperationsOptions) {
    this.#options = options;
  }

  /** Archives the databases of a region under a label: its own, for reconciliation, or a follower that is lost. */
  archive(region: Region, label: string): RegionDatabases {
    const { state } = this.#options;
    const current = state.current.regions[region];
    if (current.state === 'kept' && this.#failures.has(region)) {
      return this.#run(region, () => this.#moveAside(region, current.label));
    }
    if (current.state !== 'running' && current.state !== 'following') return this.region(region);
    return this.#run(region, async () => {
      state.writeRegion(region, 'kept', label);
      await this.#moveAside(region, label);
    });
  }

  /** Builds a follower of the other region's primary database in this region. */
  follow(region: Region): RegionDatabases {
    const { state } = this.#options.state.current.regions[region];
    if (state === 'following') {
      // The copy is complete. If its start failed, the reconcile loop starts it again.
      if (!this.#running.has(region)) this.#failures.delete(region);
      return this.region(region);
    }
    if (state === 'running') throw new DatabaseOperationError(`${region} already has databases: archive them first.`);
    return this.#run(region, () => this.#buildFollower(region));
  }

  /** The progress of the last operation. */
  region(region: Region): RegionDatabases {
    if (this.#running.has(region)) return { region, state: 'building' };
    const reason = this.#failures.get(region);
    if (reason !== undefined) return { region, state: 'failed', because: reason };
    return { region, state: this.#options.state.current.regions[region].state };
  }

  /** Continues operations that the end of the supervisor interrupted. */
  resume(): void {
    for (const region of ['oregon', 'virginia'] as const) {
      const { state, label } = this.#options.state.current.regions[region];
      if (state === 'kept') this.#run(region, () => this.#moveAside(region, label));
      if (state === 'building') this.#run(region, () => this.#buildFollower(region));
    }
  }

  #run(region: Region, operation: () => Promise<void>): RegionDatabases {
    if (this.#running.has(region)) return this.region(region);
    this.#failures.delete(region);
    this.#running.add(region);
    this.#options.queues[region]
      .run(operation)
      .catch((error: Error) => {
        this.#failures.set(region, error.message);
        this.#options.emit({ source: 'databases', level: 'alarm', text: error.message });
      })
      .finally(() => this.#running.delete(region));
    return this.region(region);
  }

  async #moveAside(region: Region, label: string): Promise<void> {
    const names: FollowerName[] = region === 'oregon' ? ['oregon/db-a', 'oregon/db-b'] : ['virginia/db'];
    const archived = await Promise.all(names.map((name) => this.#options.instances[name].archive(label)));
    const directories = archived.filter((directory) => directory !== undefined);
    if (directories.length === 0) return;
    const text = `The databases of ${region} are archived in ${directories.join(' and ')}.`;
    this.#options.emit({ source: 'databases', level: 'info', text });
  }

  async #buildFollower(region: Region): Promise<void> {
    const { state, instances, topology, emit } = this.#options;
    const name: FollowerName = region === 'oregon' ? 'oregon/db-a' : 'virginia/db';
    const instance = instances[name];
    state.writeRegion(region, 'building');
    const source = topology.sourceOf(name);
    await instance.rebuild(source.connection, () => true);
    if (region === 'oregon') state.write({ primary: 'oregon/db-a', isStandbyEligible: false });
    state.writeLineage(name, 'current');
    state.writeRegion(region, 'following');
    instance.following = source.following;
    await instance.launch();
    await instance.postgres.waitUntilReady();
    const text = `${name} has a copy of the other region's database and follows it.`;
    emit({ source: name, level: 'good', text });
  }
}
