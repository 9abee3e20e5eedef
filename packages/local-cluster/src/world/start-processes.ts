import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { WorldComponents } from './compose';
import type { EventLog } from './events';
import type { StatusSnapshot } from './status-poller';

const READY_LIMIT_MS = 60_000;
/** Longer than an authority lease: a recovering server may have to wait until one expires. */
const RECOVERED_LIMIT_MS = 45_000;

export interface ProcessStarterOptions {
  readonly home: string;
  readonly events: EventLog;
  /** True when the databases of an earlier run were recovered. */
  readonly isRecovered: boolean;
  /** Throws when the world ends during its start. */
  readonly stopIfEnding: () => void;
}

/** Starts the Node processes of a world and waits until the edge grants. */
export class ProcessStarter {
  readonly #components: WorldComponents;
  readonly #options: ProcessStarterOptions;

  constructor(components: WorldComponents, options: ProcessStarterOptions) {
    this.#components = components;
    this.#options = options;
  }

  /** Starts the servers first and the witness and controller last, so that they observe running servers and raise no alarm. */
  async start(): Promise<void> {
    const { nodes, statusPoller } = this.#components;
    const isServer = (name: string): boolean => name.includes('/app-');
    const [servers, others] = [nodes.names().filter(isServer), nodes.names().filter((name) => !isServer(name))];
    for (const name of servers) nodes.start(name);
    await this.#untilSeen('not every server answers', (seen) => seen.servers.every(({ answering }) => answering));
    const watchers = ['ohio/witness', 'controller'];
    for (const name of others.filter((other) => !watchers.includes(other))) nodes.start(name);
    await this.#untilSeen('the edge does not answer', ({ edgeTarget }) => edgeTarget !== undefined);
    for (const name of watchers) nodes.start(name);
    statusPoller.start();
    await this.orAlarm(this.#untilSeen('the edge does not grant', ({ edgeGrants }) => edgeGrants));
  }

  /**
   * After a crash during a failover or failback, no region may be able to grant. A recovered cluster then keeps running,
   * because the operator's commands (`npx evergrant failback abort`, `local start`) need it.
   */
  async orAlarm(step: Promise<void>): Promise<void> {
    try {
      await step;
    } catch (error) {
      this.#options.stopIfEnding();
      if (!this.#options.isRecovered) throw error;
      this.#options.events.add('world', `${(error as Error).message}; run npx evergrant status`, 'alarm');
    }
  }

  async #untilSeen(otherwise: string, isSo: (seen: StatusSnapshot) => boolean): Promise<void> {
    const { home, isRecovered, stopIfEnding } = this.#options;
    const limitMs = isRecovered ? RECOVERED_LIMIT_MS : READY_LIMIT_MS;
    const deadline = performance.now() + limitMs;
    while (performance.now() < deadline) {
      stopIfEnding();
      if (isSo(await this.#components.statusPoller.poll())) return;
      await delay(50);
    }
    throw new Error(`${otherwise} after ${limitMs / 1000} s; look into ${join(home, 'logs')}`);
  }
}
