import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { ExampleControlRoom } from '@evergrant/client/example/control-room';
import type { EventLog } from './events';
import type { RoomView } from './state';

const NAMES = ['Lisbon', 'Osaka', 'Nairobi', 'Quito', 'Tromsø', 'Perth', 'Boston', 'Lyon', 'Hanoi', 'Tunis'];

const LOGINS = [
  { feature: 'bot-creator', seats: 1 },
  { feature: 'citizen-developer', seats: 2 },
  { feature: 'attended-runner', seats: 5 },
  { feature: 'attended-runner', seats: 12 },
  { feature: 'unattended-runner', seats: 20 },
  { feature: 'unattended-runner', seats: 45 },
];

interface Options {
  readonly count: number;
  readonly edge: string;
  /** The license key that the Control Rooms register with. */
  readonly licenseKey: string;
  /** The directory of the Control Rooms' state files. */
  readonly folder: string;
  readonly events: EventLog;
}

/**
 * Control Rooms that produce activity for the view. Like customers, they connect to the edge and register with the
 * license key. Their leases survive a crash of the world.
 */
export class DemoLoad {
  readonly #rooms: ExampleControlRoom[];
  /** The current trouble of each room, as one word. */
  readonly #troubles = new Map<string, string>();

  constructor({ count, edge, licenseKey, folder, events }: Options) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    this.#rooms = Array.from({ length: count }, (_, index) => {
      const round = Math.floor(index / NAMES.length);
      const name = `${NAMES[index % NAMES.length]}${round === 0 ? '' : ` ${round + 1}`}`;
      return new ExampleControlRoom({
        name,
        product: 'automation',
        logins: LOGINS,
        usersMax: 3,
        workMs: 25_000,
        pauseMs: 4_000,
        client: {
          addresses: [edge],
          controlRoom: { name: `Control Room ${name}`, licenseKey },
          stateFile: join(folder, `${index + 1}.json`),
          requestTimeoutMs: 10_000,
        },
        onEvent: (event) => this.#note(name, event.kind, events),
      });
    });
  }

  start(): void {
    for (const room of this.#rooms) room.start();
  }

  views(): RoomView[] {
    return this.#rooms.map((room) => {
      const { holding, name } = room.snapshot();
      return { name, seats: holding.reduce((sum, { seats }) => sum + seats, 0), trouble: this.#troubles.get(name) };
    });
  }

  /** Releases every seat as far as a server accepts it. It does not wait long for a world that is down. */
  async stop(): Promise<void> {
    const givenBack = Promise.all(this.#rooms.map((room) => room.stop({ release: true })));
    let timer: NodeJS.Timeout | undefined;
    await Promise.race([givenBack, new Promise((late) => (timer = setTimeout(late, 1_500)))]);
    clearTimeout(timer);
  }

  #note(name: string, kind: string, events: EventLog): void {
    if (kind === 'grace' || kind === 'lost') {
      if (this.#troubles.get(name) !== kind)
        events.add(`room ${name}`, kind === 'lost' ? 'lost a lease' : 'is in grace', 'warning');
      this.#troubles.set(name, kind);
    } else if (kind === 'renewed' || kind === 'restored' || kind === 'granted') {
      if (this.#troubles.delete(name)) events.add(`room ${name}`, 'is served again', 'good');
    }
  }
}
