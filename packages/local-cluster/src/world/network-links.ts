import { type Layout, LINK_NAMES, type LinkName } from '../layout';
import { Relay } from '../network/tcp-proxy';
import type { LinkChange } from './control-api';
import type { EventLog } from './events';

/** The network between the places of the world: one relay a link, each of which can be cut and delayed. */
export class Links {
  private readonly relays: ReadonlyMap<LinkName, Relay>;
  private readonly events: EventLog;

  constructor(layout: Layout, events: EventLog) {
    this.events = events;
    this.relays = new Map(
      LINK_NAMES.map((name) => [
        name,
        new Relay({ name, port: layout.linkPort(name), targetPort: layout.linkTargetPort(name) }),
      ]),
    );
  }

  async listen(): Promise<void> {
    await Promise.all([...this.relays.values()].map((relay) => relay.listen()));
  }

  change(name: LinkName, change: LinkChange): void {
    this.relays.get(name)?.setCondition(change);
    const words = [change.mode, change.delayMs === undefined ? undefined : `delayed by ${change.delayMs} ms`];
    this.events.add('network', `link ${name}: ${words.filter(Boolean).join(', ')}`, 'warning');
  }

  /** Names of the links that let nothing through. */
  cut(): string[] {
    return [...this.relays].filter(([, relay]) => relay.status().mode !== 'open').map(([name]) => name);
  }

  async close(): Promise<void> {
    await Promise.all([...this.relays.values()].map((relay) => relay.close()));
  }
}
