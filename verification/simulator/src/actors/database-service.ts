import { otherRegion, type Region } from '@evergrant/core/regions';
import { DatabaseServer } from '../database/database-server';
import { Replication } from '../database/replication';
import type { VirtualClock } from '../time/virtual-clock';
import type { Host } from '../topology/host';
import type { Network } from '../topology/network';
import type { SimulatedRegion } from './region';

const BUILDING_MS = 20_000;

export interface SimulatedDatabaseServiceOptions {
  readonly regions: Readonly<Record<Region, SimulatedRegion>>;
  readonly virtualClock: VirtualClock;
  readonly network: Network;
  readonly newHost: (region: Region) => Host;
}

/** The service that runs databases: archives one, builds a follower from a copy, and keeps the streams between them. */
export class SimulatedDatabaseService {
  /** The stream from each region's database to the other region's. */
  readonly streams: Partial<Record<Region, Replication>> = {};
  readonly #options: SimulatedDatabaseServiceOptions;

  constructor(options: SimulatedDatabaseServiceOptions) {
    this.#options = options;
  }

  stream(from: Region): Replication | undefined {
    const stream = this.streams[from];
    return stream?.primary === this.#options.regions[from].database ? stream : undefined;
  }

  stateOf(region: Region): SimulatedRegion['service'] {
    const { database, service } = this.#options.regions[region];
    if (!database) return service;
    return database.role === 'primary' ? 'running' : 'following';
  }

  /** Stops the region's database permanently and archives it. */
  keep(region: Region): void {
    const simulatedRegion = this.#options.regions[region];
    if (simulatedRegion.service === 'archived' || simulatedRegion.service === 'building') return;
    simulatedRegion.database?.host.crash();
    this.#endStreamsOf(simulatedRegion);
    simulatedRegion.database = undefined;
    simulatedRegion.service = 'archived';
  }

  /** Builds a follower from a base backup of the other region's primary database. */
  follow(region: Region): void {
    const { regions, virtualClock } = this.#options;
    const simulatedRegion = regions[region];
    if (simulatedRegion.service !== 'archived') return;
    simulatedRegion.service = 'building';
    virtualClock.after(BUILDING_MS, () => this.#built(region));
  }

  #built(region: Region): void {
    const { regions, newHost, virtualClock } = this.#options;
    const simulatedRegion = regions[region];
    const origin = regions[otherRegion(region)].database;
    if (simulatedRegion.service !== 'building') return;
    if (!origin?.host.isRunning || origin.role !== 'primary') {
      virtualClock.after(BUILDING_MS, () => this.#built(region));
      return;
    }
    const { position, era } = origin;
    simulatedRegion.database = new DatabaseServer({
      host: newHost(region),
      tables: origin.tables.copy(),
      role: 'follower',
      position,
      era,
    });
    simulatedRegion.service = 'following';
    this.connect(otherRegion(region));
  }

  /** Makes the other region's database follow the one of `from`. */
  connect(from: Region): void {
    const { regions, virtualClock, network } = this.#options;
    const primary = regions[from].database;
    const follower = regions[otherRegion(from)].database;
    if (!primary || !follower) return;
    this.streams[from]?.end();
    this.streams[from] = new Replication({ primary, follower, virtualClock, network });
  }

  changed(): void {
    for (const stream of Object.values(this.streams)) stream.changed();
  }

  #endStreamsOf({ database }: SimulatedRegion): void {
    for (const stream of Object.values(this.streams)) {
      if (stream.primary === database || stream.follower === database) stream.end();
    }
  }
}
