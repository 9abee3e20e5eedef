import { type Layout, LINK_NAMES, type LinkName } from '../layout';
import { TcpProxy } from '../network/tcp-proxy';
import type { LinkChange } from './control-api';
import type { EventLog } from './events';

/** The network between the locations of the world. Each link is a relay that can be cut and delayed. */
export class NetworkLinks {
  readonly #proxies: ReadonlyMap<LinkName, TcpProxy>;
  readonly #events: EventLog;

  constructor(layout: Layout, events: EventLog) {
    this.#events = events;
    this.#proxies = new Map(
      LINK_NAMES.map((name) => [
        name,
        new TcpProxy({ name, port: layout.linkPort(name), targetPort: layout.linkTargetPort(name) }),
      ]),
    );
  }

  async listen(): Promise<void> {
    await Promise.all([...this.#proxies.values()].map((proxy) => proxy.listen()));
  }

  change(name: LinkName, change: LinkChange): void {
    this.#proxies.get(name)?.setCondition(change);
    const words = [change.mode, change.delayMs === undefined ? undefined : `delayed by ${change.delayMs} ms`];
    this.#events.add('network', `link ${name}: ${words.filter(Boolean).join(', ')}`, 'warning');
  }

  /** Names of the links that forward nothing. */
  cut(): string[] {
    return [...this.#proxies].filter(([, proxy]) => proxy.status().mode !== 'open').map(([name]) => name);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#proxies.values()].map((proxy) => proxy.close()));
  }
}
