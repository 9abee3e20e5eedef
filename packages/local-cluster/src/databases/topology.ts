import type { Region } from '@evergrant/core/regions';
import type { Layout } from '../layout';
import { STANDBY_NAME } from './ha-pair';
import type { ManagedInstance } from './managed-instance';
import { createReplicationSource, type Source } from './replication-source';
import type { FollowerName, StateFile } from './state-file';

export const DATABASE_NAMES = ['oregon/db-a', 'oregon/db-b', 'virginia/db', 'ohio/db'] as const;
export type DatabaseName = (typeof DATABASE_NAMES)[number];

export interface TopologyOptions {
  readonly layout: Layout;
  readonly record: StateFile;
  readonly instances: Readonly<Record<DatabaseName, ManagedInstance>>;
  readonly replicationPassword: string;
}

/** Who is whose source now, and over which way: read off the record at every question. */
export class Topology {
  readonly #options: TopologyOptions;

  constructor(options: TopologyOptions) {
    this.#options = options;
  }

  /** A region's primary database, running or not; undefined while the region has none of its own. */
  primaryOf(region: Region): ManagedInstance | undefined {
    const { regions, primary } = this.#options.record.current;
    if (regions[region].state !== 'running') return undefined;
    return this.#options.instances[region === 'oregon' ? primary : 'virginia/db'];
  }

  /** Whom an instance follows when it follows; its primary database may be itself. */
  sourceOf(name: FollowerName): Source {
    const { layout, record } = this.#options;
    const { regions, primary } = record.current;
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

  /** Whether an instance has a part to play: files of its own, or a source to get them from. */
  isInUse(name: DatabaseName): boolean {
    const { regions, primary } = this.#options.record.current;
    if (name === 'ohio/db') return true;
    if (name === 'virginia/db') return regions.virginia.state === 'running' || regions.virginia.state === 'following';
    return regions.oregon.state === 'running' || (regions.oregon.state === 'following' && name === primary);
  }

  #source(port: number, applicationName: string, primary: () => ManagedInstance | undefined): Source {
    return createReplicationSource(port, applicationName, {
      replicationPassword: this.#options.replicationPassword,
      primary,
    });
  }
}
