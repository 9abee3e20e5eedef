import type { Lease } from './lease';
import { OpenSeats, type Reservation, type Room, type RoomUse } from './reservations';
import { type SeatCount, seatsFree } from './seats';

/** A pool as read under its row lock. */
export interface PoolCount extends SeatCount {
  readonly id: number;
  readonly grantSeq: number;
}

/** What is reserved in a pool, and how much of it is used. */
export interface Reserved {
  readonly reservations: readonly Reservation[];
  /** The use of every Control Room that a reservation is for. */
  readonly uses: readonly RoomUse[];
  /** The groups of the Control Rooms that ask. */
  readonly groups: ReadonlyMap<string, string>;
}

export const NOTHING_RESERVED: Reserved = { reservations: [], uses: [], groups: new Map() };

export interface PoolFacts {
  readonly pool: PoolCount;
  /** The leases that the requests name, by id or by identity. */
  readonly known: readonly Lease[];
  readonly reserved: Reserved;
}

/** The books of one pool while a batch is decided: each decision finds what the ones before it entered. */
export class PoolBooks {
  readonly #reserved: Reserved;
  readonly #leases = new Map<string, Lease>();
  readonly #uses: RoomUse[];
  readonly #inserted: Lease[] = [];
  #pool: PoolCount;

  constructor({ pool, known, reserved }: PoolFacts) {
    this.#pool = pool;
    this.#reserved = reserved;
    this.#uses = [...reserved.uses];
    for (const lease of known) this.#leases.set(lease.id, lease);
  }

  get pool(): PoolCount {
    return this.#pool;
  }

  get inserted(): readonly Lease[] {
    return this.#inserted;
  }

  lease(id: string): Lease | undefined {
    return this.#leases.get(id);
  }

  /** The first lease of the pool that `isWanted`. */
  findLease(isWanted: (lease: Lease) => boolean): Lease | undefined {
    for (const lease of this.#leases.values()) {
      if (lease.poolId === this.#pool.id && isWanted(lease)) return lease;
    }
    return undefined;
  }

  roomOf(controlRoom: string | undefined): Room {
    return { controlRoom, group: controlRoom === undefined ? undefined : this.#reserved.groups.get(controlRoom) };
  }

  openSeats(): OpenSeats {
    return new OpenSeats(seatsFree(this.#pool), this.#reserved.reservations, this.#uses);
  }

  /** Enters a lease; `count` is the pool's with it. */
  enter(lease: Lease, count: SeatCount): void {
    this.#pool = { ...this.#pool, ...count, grantSeq: lease.seq };
    this.#leases.set(lease.id, lease);
    this.#inserted.push(lease);
    if (lease.controlRoom !== undefined) this.#uses.push({ ...this.roomOf(lease.controlRoom), seats: lease.seats });
  }
}
