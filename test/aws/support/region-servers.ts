import type { ChildProcess } from 'node:child_process';
import type { Region } from '@evergrant/core/regions';
import type { Edges } from './edges';
import type { Ground } from './ground';
import { startServer } from './region-model';
import type { SynthesizedApp } from './synthesized-app';

export interface RegionServersOptions {
  readonly app: SynthesizedApp;
  readonly ground: Ground;
  readonly edges: Edges;
  /** Settings that differ from production: endpoints, secret and durations. */
  readonly own: Readonly<Record<string, string>>;
}

/** A real license server in each region behind its load balancer, with the environment of the container. */
export class RegionServers {
  readonly #options: RegionServersOptions;
  readonly #running = new Map<Region, ChildProcess>();

  constructor(options: RegionServersOptions) {
    this.#options = options;
  }

  async start(region: Region): Promise<void> {
    const { app, ground, edges, own } = this.#options;
    this.#running.get(region)?.kill('SIGKILL');
    const stack = region === 'oregon' ? 'Oregon' : 'Virginia';
    const environment = app.serverEnvironment(stack, { LicenseDatabaseInstance: ground.databaseHost(region) });
    const { child, port } = startServer({ ...environment, ...own });
    this.#running.set(region, child);
    edges.balancers[region].targetPort = await port;
  }

  kill(region: Region): void {
    this.#running.get(region)?.kill('SIGKILL');
    this.#options.edges.balancers[region].targetPort = null;
  }

  close(): void {
    for (const child of this.#running.values()) child.kill('SIGKILL');
  }
}
