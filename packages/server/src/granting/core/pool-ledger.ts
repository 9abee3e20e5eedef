import { Queue, type QueuePlace, reserveAhead } from '../../queue/core/queue';
import {
  OpenSeats,
  openAtMost,
  type Reservation,
  type ReservingRoom,
  type RoomUse,
} from '../../reservations/core/reservations';
import type { Lease } from './lease';
import { capacityOf, type SeatCount, seatsFree } from './seats';

/** A pool as read under its row lock. */
export interface PoolCount extends SeatCount {
  readonly id: number;
  readonly grantSeq: number;
  /** Maximum seats that may be answered before the follower has them, and the grant number that it has (S2). */
  readonly escrow: number;
  readonly ackedSeq: number;
  /** The last number that a place in the queue received. */
  readonly queueSeq: number;
}

/** The reservations of a pool and their use. */
export interface Reserved {
  readonly reservations: readonly Reservation[];
  /** The use of every Control Room that has a reservation. */
  readonly uses: readonly RoomUse[];
  /** The groups of the Control Rooms that request seats or are queued. */
  readonly groups: ReadonlyMap<string, string>;
}

export const NOTHING_RESERVED: Reserved = { reservations: [], uses: [], groups: new Map() };

export interface PoolFacts {
  readonly pool: PoolCount;
  /** The leases that the requests name, by id or by identity. */
  readonly known: readonly Lease[];
  readonly reserved: Reserved;
  /** The live places in the queue. */
  readonly places: readonly QueuePlace[];
}

/** The state of one pool while a batch is decided. Each decision sees the leases that earlier decisions added. */
export class PoolLedger {
  readonly queue: Queue;
  readonly #reserved: Reserved;
  readonly #leases = new Map<string, Lease>();
  readonly #uses: RoomUse[];
  readonly #inserted: Lease[] = [];
  readonly #handedOver = new Map<string, Lease>();
  #pool: PoolCount;

  constructor({ pool, known, reserved, places }: PoolFacts) {
    this.#pool = pool;
    this.queue = new Queue(places, pool.queueSeq);
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

  /** Known leases that were given to another checkout of their installation. */
  get handedOver(): readonly Lease[] {
    return [...this.#handedOver.values()];
  }

  lease(id: string): Lease | undefined {
    return this.#leases.get(id);
  }

  /** Returns the first lease of the pool that matches. */
  findLease(matches: (lease: Lease) => boolean): Lease | undefined {
    for (const lease of this.#leases.values()) {
      if (lease.poolId === this.#pool.id && matches(lease)) return lease;
    }
    return undefined;
  }

  /** Gives a live lease to another checkout of the same installation, also a lease that this batch inserts. */
  handOver(lease: Lease): Lease {
    const next = { ...lease, handover: (lease.handover ?? 0) + 1 };
    this.#leases.set(lease.id, next);
    const position = this.#inserted.findIndex(({ id }) => id === lease.id);
    if (position < 0) this.#handedOver.set(lease.id, next);
    else this.#inserted[position] = next;
    return next;
  }

  roomOf(controlRoom: string | undefined): ReservingRoom {
    return { controlRoom, group: controlRoom === undefined ? undefined : this.#reserved.groups.get(controlRoom) };
  }

  /** How many seats a Control Room may take now, after the seats reserved for the places ahead of it. */
  available(room: ReservingRoom, ahead: readonly QueuePlace[]): number {
    const { reservations } = this.#reserved;
    const open = new OpenSeats(seatsFree(this.#pool), reservations, this.#uses);
    reserveAhead(open, ahead, { capacity: capacityOf(this.#pool), reservations });
    return open.openTo(room);
  }

  /** The maximum number of seats that a Control Room could ever take. */
  availableAtMost(room: ReservingRoom): number {
    return openAtMost(capacityOf(this.#pool), this.#reserved.reservations, room);
  }

  /** Adds a lease; `count` is the seat count of the pool including it. */
  apply(lease: Lease, count: SeatCount): void {
    this.#pool = { ...this.#pool, ...count, grantSeq: lease.seq };
    this.#leases.set(lease.id, lease);
    this.#inserted.push(lease);
    if (lease.controlRoom !== undefined) this.#uses.push({ ...this.roomOf(lease.controlRoom), seats: lease.seats });
  }
}
