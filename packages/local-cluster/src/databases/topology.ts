import type { Region } from '@evergrant/core/regions';
import type { Layout } from '../layout';
import { STANDBY_NAME } from './ha-pair';
import type { Member } from './managed-instance';
import { type Source, sourceOver } from './replication-source';
import type { FollowerName, RecordFile } from './state-file';

export const DATABASE_NAMES = ['oregon/db-a', 'oregon/db-b', 'virginia/db', 'ohio/db'] as const;
export type DatabaseName = (typeof DATABASE_NAMES)[number];

export interface ArrangementOptions {
  readonly layout: Layout;
  readonly record: RecordFile;
  readonly members: Readonly<Record<DatabaseName, Member>>;
  readonly replicationPassword: string;
}

/** Who is whose source now, and over which way: read off the record at every question. */
export class Arrangement {
  readonly #options: ArrangementOptions;

  constructor(options: ArrangementOptions) {
    this.#options = options;
  }

  /** A region's primary database, running or not; undefined while the region has none of its own. */
  primaryOf(region: Region): Member | undefined {
    const { regions, primary } = this.#options.record.current;
    if (regions[region].state !== 'running') return undefined;
    return this.#options.members[region === 'oregon' ? primary : 'virginia/db'];
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

  #source(port: number, applicationName: string, primary: () => Member | undefined): Source {
    return sourceOver(port, applicationName, { replicationPassword: this.#options.replicationPassword, primary });
  }
}
