import type { Region } from '@evergrant/core/regions';
import type { Layout } from '../layout';
import { STANDBY_NAME } from './ha-pair';
import type { ManagedInstance } from './managed-instance';
import { createReplicationSource, type ReplicationSource } from './replication-source';
import type { FollowerName, SupervisorStateFile } from './state-file';

export const DATABASE_NAMES = ['oregon/db-a', 'oregon/db-b', 'virginia/db', 'ohio/db'] as const;
export type DatabaseName = (typeof DATABASE_NAMES)[number];

export interface TopologyOptions {
  readonly layout: Layout;
  readonly state: SupervisorStateFile;
  readonly instances: Readonly<Record<DatabaseName, ManagedInstance>>;
  readonly replicationPassword: string;
}

/** The replication topology: which instance follows which, through which port. Derived from the state file on each call. */
export class Topology {
  readonly #options: TopologyOptions;

  constructor(options: TopologyOptions) {
    this.#options = options;
  }

  /** The primary database of a region, running or not; undefined while the region has none. */
  primaryOf(region: Region): ManagedInstance | undefined {
    const { regions, primary } = this.#options.state.current;
    if (regions[region].state !== 'running') return undefined;
    return this.#options.instances[region === 'oregon' ? primary : 'virginia/db'];
  }

  /** The replication source of an instance. The primary database may be the instance itself. */
  sourceOf(name: FollowerName): ReplicationSource {
    const { layout, state } = this.#options;
    const { regions, primary } = state.current;
    if (name === 'virginia/db') {
      const port = layout.linkPort('virginia-oregon/replication');
      return this.#source(port, 'virginia_follower', () => this.primaryOf('oregon'));
    }
    if (regions.oregon.state === 'running') {
      return this.#source(layout.port(primary), STANDBY_NAME, () => this.primaryOf('oregon'));
    }
    const port = layout.linkPort('oregon-virginia/replication');
    return this.#source(port, 'oregon_follower', () => this.primaryOf('virginia'));
  }

  /** Whether an instance has its own files, or a source to copy them from. */
  isInUse(name: DatabaseName): boolean {
    const { regions, primary } = this.#options.state.current;
    if (name === 'ohio/db') return true;
    if (name === 'virginia/db') return regions.virginia.state === 'running' || regions.virginia.state === 'following';
    return regions.oregon.state === 'running' || (regions.oregon.state === 'following' && name === primary);
  }

  #source(port: number, applicationName: string, primary: () => ManagedInstance | undefined): ReplicationSource {
    return createReplicationSource(port, applicationName, {
      replicationPassword: this.#options.replicationPassword,
      primary,
    });
  }
}
