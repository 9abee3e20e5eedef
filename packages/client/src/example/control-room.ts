import { randomUUID } from 'node:crypto';
import type { LicenseEvent } from '../events';
import { LicenseClient } from '../license-client';
import type { LicenseClientOptions } from '../options';

/** What a user takes at login: seats of a feature. */
export interface Login {
  readonly feature: string;
  readonly seats: number;
}

/** How to reach the license service; the Control Room adds what is its own. */
export type ControlRoomConnection = Omit<LicenseClientOptions, 'holder' | 'random' | 'onEvent'>;

export interface ControlRoomOptions {
  /** For people, for example `Control Room Kyoto`. */
  readonly name: string;
  /** The installation's GUID, when it does not register itself. @default a new one */
  readonly guid?: string;
  readonly product: string;
  /** A user logs in to one of these, by chance. At least one. */
  readonly logins: readonly Login[];
  /** How many users are at work at once, at most. @default 2 */
  readonly usersMax?: number;
  /** How long a user works, and how long a place stays empty in between, on average. @default 20000 and 5000 */
  readonly workMs?: number;
  readonly pauseMs?: number;
  /** The same seed gives the same behaviour. @default by chance */
  readonly seed?: number;
  readonly client: ControlRoomConnection;
  readonly onEvent?: (event: LicenseEvent & { readonly controlRoom: string }) => void;
}

export interface HeldSeats {
  readonly feature: string;
  readonly seats: number;
  readonly leaseId: string;
  readonly state: string;
  /** When they were granted, in milliseconds since 1970. */
  readonly since: number;
  readonly epoch: number;
  readonly servedBy: string;
}

export interface ControlRoomSnapshot {
  readonly name: string;
  readonly guid: string;
  readonly holding: readonly HeldSeats[];
}

/** mulberry32: small, and the same on every machine. */
function seededRandom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** A UUID (version 4) out of a seeded source, so that a run's lease ids can be found again. */
function seededUuid(random: () => number): string {
  const hex = Array.from({ length: 32 }, () => Math.floor(random() * 16).toString(16));
  hex[12] = '4';
  hex[16] = ((Number.parseInt(hex[16] as string, 16) & 3) | 8).toString(16);
  const text = hex.join('');
  return [text.slice(0, 8), text.slice(8, 12), text.slice(12, 16), text.slice(16, 20), text.slice(20)].join('-');
}

/**
 * An example of an application that embeds the client: one customer installation whose users log in and out. A login
 * checks seats out; as long as the user works the client keeps them, whatever becomes of servers and regions; a logout
 * gives them back. Nothing here looks at servers, retries anything or handles an error: that is the client's part.
 */
export class ControlRoom {
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

  /** Ends all work: seats are given back, or (`release: false`) left to the installation's next life. */
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

  /** One user after the other at one place. */
  async #entry(): Promise<void> {
    const { product, logins, workMs = 20_000, pauseMs = 5_000 } = this.#options;
    while (!this.#stopped.signal.aborted) {
      await this.#idle(pauseMs);
      if (this.#stopped.signal.aborted) return;
      const { feature, seats } = logins[Math.floor(this.#random() * logins.length)] as Login;
      const outcome = await this.#client.checkout({ product, feature, seats });
      // No seat, or nobody to ask: this user tries again later.
      if (outcome.kind !== 'granted') continue;
      const { lease } = outcome;
      this.#since.set(lease.id, Date.now());
      await this.#idle(workMs);
      // When the Control Room is stopped, the client's own end decides what becomes of the seats.
      if (!this.#stopped.signal.aborted) await lease.release();
      this.#since.delete(lease.id);
    }
  }

  /** Between half and one and a half times `meanMs`; ends at once when the Control Room is stopped. */
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
