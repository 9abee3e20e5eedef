import { otherRegion, type Region } from '@evergrant/core/regions';
import { DatabaseServer } from '../database/database-server';
import { Replication } from '../database/replication';
import type { Clockwork } from '../time/virtual-clock';
import type { Host } from '../topology/host';
import type { Network } from '../topology/network';
import type { Site } from './region';

const BUILDING_MS = 20_000;

export interface DatabaseServiceOptions {
  readonly sites: Readonly<Record<Region, Site>>;
  readonly clockwork: Clockwork;
  readonly network: Network;
  readonly newHost: (region: Region) => Host;
}

/** The service that runs databases: puts one aside, makes a follower from a copy, and knows who streams from whom. */
export class DatabaseService {
  /** The stream that leaves each region's database. */
  readonly streams: Partial<Record<Region, Replication>> = {};
  readonly #options: DatabaseServiceOptions;

  constructor(options: DatabaseServiceOptions) {
    this.#options = options;
  }

  stream(from: Region): Replication | undefined {
    const stream = this.streams[from];
    return stream?.primary === this.#options.sites[from].database ? stream : undefined;
  }

  stateOf(region: Region): Site['service'] {
    const { database, service } = this.#options.sites[region];
    if (!database) return service;
    return database.role === 'primary' ? 'running' : 'following';
  }

  /** Stops the region's database for ever; what it holds is kept for reconciliation. */
  keep(region: Region): void {
    const site = this.#options.sites[region];
    if (site.service === 'kept' || site.service === 'building') return;
    site.database?.host.crash();
    this.#endStreamsOf(site);
    site.database = undefined;
    site.service = 'kept';
  }

  /** A base backup of the other region's primary database, and then its log. */
  follow(region: Region): void {
    const { sites, clockwork } = this.#options;
    const site = sites[region];
    if (site.service !== 'kept') return;
    site.service = 'building';
    clockwork.after(BUILDING_MS, () => this.#built(region));
  }

  #built(region: Region): void {
    const { sites, newHost, clockwork } = this.#options;
    const site = sites[region];
    const origin = sites[otherRegion(region)].database;
    if (site.service !== 'building') return;
    if (!origin?.host.isRunning || origin.role !== 'primary') {
      clockwork.after(BUILDING_MS, () => this.#built(region));
      return;
    }
    const { position, era } = origin;
    site.database = new DatabaseServer({
      host: newHost(region),
      tables: origin.tables.copy(),
      role: 'follower',
      position,
      era,
    });
    site.service = 'following';
    this.connect(otherRegion(region));
  }

  /** The other region's database follows the one of `from`. */
  connect(from: Region): void {
    const { sites, clockwork, network } = this.#options;
    const primary = sites[from].database;
    const follower = sites[otherRegion(from)].database;
    if (!primary || !follower) return;
    this.streams[from]?.end();
    this.streams[from] = new Replication({ primary, follower, clockwork, network });
  }

  changed(): void {
    for (const stream of Object.values(this.streams)) stream.changed();
  }

  #endStreamsOf({ database }: Site): void {
    for (const stream of Object.values(this.streams)) {
      if (stream.primary === database || stream.follower === database) stream.end();
    }
  }
}
