import { randomUUID } from 'node:crypto';
import type { LicenseEvent } from '../events';
import { LicenseClient } from '../license-client';
import type { LicenseClientOptions } from '../options';

/** Seats that a user checks out at login. */
export interface Login {
  readonly feature: string;
  readonly seats: number;
}

/** Client options; the Control Room sets the omitted ones. */
export type ControlRoomConnection = Omit<LicenseClientOptions, 'holder' | 'random' | 'onEvent'>;

export interface ControlRoomOptions {
  /** Display name, for example `Control Room Kyoto`. */
  readonly name: string;
  /** GUID of the installation, unless it registers itself. @default a new one */
  readonly guid?: string;
  readonly product: string;
  /** Each login picks one of these at random. At least one. */
  readonly logins: readonly Login[];
  /** Largest number of concurrent users. @default 2 */
  readonly usersMax?: number;
  /** Mean duration of a user's work and of the pause between users. @default 20000 and 5000 */
  readonly workMs?: number;
  readonly pauseMs?: number;
  /** The same seed gives the same behaviour. @default random */
  readonly seed?: number;
  readonly client: ControlRoomConnection;
  readonly onEvent?: (event: LicenseEvent & { readonly controlRoom: string }) => void;
}

export interface HeldSeats {
  readonly feature: string;
  readonly seats: number;
  readonly leaseId: string;
  readonly state: string;
  /** Time of the grant, in milliseconds since 1970. */
  readonly since: number;
  readonly epoch: number;
  readonly servedBy: string;
}

export interface ControlRoomSnapshot {
  readonly name: string;
  readonly guid: string;
  readonly holding: readonly HeldSeats[];
}

/** mulberry32: the same sequence on every machine. */
function seededRandom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Version 4 UUID from a seeded source, so that the lease ids of a run are repeatable. */
function seededUuid(random: () => number): string {
  const hex = Array.from({ length: 32 }, () => Math.floor(random() * 16).toString(16));
  hex[12] = '4';
  hex[16] = ((Number.parseInt(hex[16] as string, 16) & 3) | 8).toString(16);
  const text = hex.join('');
  return [text.slice(0, 8), text.slice(8, 12), text.slice(12, 16), text.slice(16, 20), text.slice(20)].join('-');
}

/**
 * Example of an application that embeds the client: an installation whose users log in and out. A login checks seats out,
 * and a logout releases them. The application contains no code for servers, retries or errors: the client handles them.
 */
export class ExampleControlRoom {
  readonly name: string;
  readonly #options: ControlRoomOptions;
  readonly #guid: string;
  readonly #client: LicenseClient;
  readonly #random: () => number;
  readonly #since = new Map<string, number>();
  readonly #stopped = new AbortController();
  #users: Promise<void>[] = [];

  constructor(options: ControlRoomOptions) {
    const seeded = options.seed === undefined ? undefined : seededRandom(options.seed);
    this.#random = seeded ?? Math.random;
    this.#options = options;
    this.name = options.name;
    this.#guid = options.guid ?? (seeded ? seededUuid(seeded) : randomUUID());
    this.#client = new LicenseClient({
      ...(seeded ? { newLeaseId: () => seededUuid(seeded) } : {}),
      ...options.client,
      ...(options.client.controlRoom ? {} : { holder: this.#guid }),
      random: this.#random,
      onEvent: (event) => options.onEvent?.({ ...event, controlRoom: this.name }),
    });
  }

  get guid(): string {
    return this.#client.controlRoom ?? this.#guid;
  }

  start(): void {
    if (this.#users.length > 0) return;
    this.#users = Array.from({ length: this.#options.usersMax ?? 2 }, () => this.#entry());
  }

  /** Ends all work and releases the seats. With `release: false` the seats stay held for the next start. */
  async stop({ release }: { readonly release: boolean } = { release: true }): Promise<void> {
    this.#stopped.abort();
    await this.#client.close({ release });
    await Promise.all(this.#users);
  }

  snapshot(): ControlRoomSnapshot {
    const holding = this.#client.leases.map(({ id, feature, seats, state, epoch, servedBy }) => {
      return { feature, seats, leaseId: id, state, since: this.#since.get(id) ?? Date.now(), epoch, servedBy };
    });
    return { name: this.name, guid: this.guid, holding };
  }

  /** Runs one user after the other. */
  async #entry(): Promise<void> {
    const { product, logins, workMs = 20_000, pauseMs = 5_000 } = this.#options;
    while (!this.#stopped.signal.aborted) {
      await this.#idle(pauseMs);
      if (this.#stopped.signal.aborted) return;
      const { feature, seats } = logins[Math.floor(this.#random() * logins.length)] as Login;
      const outcome = await this.#client.checkout({ product, feature, seats });
      // Without a seat or a server, the user tries again later.
      if (outcome.kind !== 'granted') continue;
      const { lease } = outcome;
      this.#since.set(lease.id, Date.now());
      await this.#idle(workMs);
      // When the Control Room stops, closing the client releases the seats.
      if (!this.#stopped.signal.aborted) await lease.release();
      this.#since.delete(lease.id);
    }
  }

  /** Waits between half and one and a half times `meanMs`, or until the Control Room stops. */
  #idle(meanMs: number): Promise<void> {
    const { signal } = this.#stopped;
    return new Promise((resolve) => {
      if (signal.aborted) return resolve();
      const done = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, meanMs * (0.5 + this.#random()));
      signal.addEventListener('abort', done);
    });
  }
}
