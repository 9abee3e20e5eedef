import type { Region } from '@evergrant/core/regions';
import type { EmitSupervisorEvent } from './events';
import type { ManagedInstance } from './managed-instance';
import type { SerialQueue } from './serial-queue';
import type { FollowerName, StateFile } from './state-file';
import type { RegionDatabases } from './status';
import type { DatabaseName, Topology } from './topology';

/** An order that cannot be carried out in the present state. */
export class DatabaseOperationError extends Error {
  readonly code = 'database_order_refused';
}

export interface DatabaseOperationsOptions {
  readonly record: StateFile;
  readonly instances: Readonly<Record<DatabaseName, ManagedInstance>>;
  readonly topology: Topology;
  readonly queues: Readonly<Record<Region, SerialQueue>>;
  readonly announce: EmitSupervisorEvent;
}

/**
 * The orders of a failback. Each is accepted at once, is on record before it changes anything, and may be given again:
 * it finishes what was begun, and does nothing when all is done.
 */
export class DatabaseOperations {
  readonly #options: DatabaseOperationsOptions;
  readonly #underWay = new Set<Region>();
  readonly #failures = new Map<Region, string>();

  constructor(options: DatabaseOperationsOptions) {
    this.#options = options;
  }

  /** Puts a region's databases aside under a label: its own for reconciliation, a follower because it is lost. */
  keep(region: Region, label: string): RegionDatabases {
    const { record } = this.#options;
    const current = record.current.regions[region];
    if (current.state === 'kept' && this.#failures.has(region)) {
      return this.#carryOut(region, () => this.#putAside(region, current.label));
    }
    if (current.state !== 'running' && current.state !== 'following') return this.region(region);
    return this.#carryOut(region, async () => {
      record.writeRegion(region, 'kept', label);
      await this.#putAside(region, label);
    });
  }

  /** Makes a follower of the other region's primary database in this region. */
  follow(region: Region): RegionDatabases {
    const { state } = this.#options.record.current.regions[region];
    if (state === 'following') {
      // The copy stands: what failed was its start, which is the supervisor's work from here on.
      if (!this.#underWay.has(region)) this.#failures.delete(region);
      return this.region(region);
    }
    if (state === 'running')
      throw new DatabaseOperationError(`${region} has databases of its own: put them aside first.`);
    return this.#carryOut(region, () => this.#buildFollower(region));
  }

  /** How far the last order is. */
  region(region: Region): RegionDatabases {
    if (this.#underWay.has(region)) return { region, state: 'building' };
    const because = this.#failures.get(region);
    if (because !== undefined) return { region, state: 'failed', because };
    return { region, state: this.#options.record.current.regions[region].state };
  }

  /** Goes on with what an end of the supervisor has interrupted. */
  resume(): void {
    for (const region of ['oregon', 'virginia'] as const) {
      const { state, label } = this.#options.record.current.regions[region];
      if (state === 'kept') this.#carryOut(region, () => this.#putAside(region, label));
      if (state === 'building') this.#carryOut(region, () => this.#buildFollower(region));
    }
  }

  #carryOut(region: Region, order: () => Promise<void>): RegionDatabases {
    if (this.#underWay.has(region)) return this.region(region);
    this.#failures.delete(region);
    this.#underWay.add(region);
    this.#options.queues[region]
      .run(order)
      .catch((error: Error) => {
        this.#failures.set(region, error.message);
        this.#options.announce({ source: 'databases', level: 'alarm', text: error.message });
      })
      .finally(() => this.#underWay.delete(region));
    return this.region(region);
  }

  async #putAside(region: Region, label: string): Promise<void> {
    const names: FollowerName[] = region === 'oregon' ? ['oregon/db-a', 'oregon/db-b'] : ['virginia/db'];
    const kept = await Promise.all(names.map((name) => this.#options.instances[name].keep(label)));
    const places = kept.filter((place) => place !== undefined);
    if (places.length === 0) return;
    const text = `The databases of ${region} are kept in ${places.join(' and ')}.`;
    this.#options.announce({ source: 'databases', level: 'info', text });
  }

  async #buildFollower(region: Region): Promise<void> {
    const { record, instances, topology, announce } = this.#options;
    const name: FollowerName = region === 'oregon' ? 'oregon/db-a' : 'virginia/db';
    const instance = instances[name];
    record.writeRegion(region, 'building');
    const source = topology.sourceOf(name);
    await instance.rebuild(source.connection, () => true);
    if (region === 'oregon') record.write({ primary: 'oregon/db-a', isStandbyEligible: false });
    record.writeLineage(name, 'current');
    record.writeRegion(region, 'following');
    instance.following = source.following;
    await instance.launch();
    await instance.postgres.waitUntilReady();
    announce({
      source: name,
      level: 'good',
      text: `${name} has a copy of the other region's database and follows it.`,
    });
  }
}
