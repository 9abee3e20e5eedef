/** Seats of a pool that only one Control Room, or only one group of Control Rooms, may take. */
export interface Reservation {
  readonly controlRoom?: string;
  readonly group?: string;
  readonly seats: number;
}

/** A Control Room and its group; each may be undefined. */
export interface ReservingRoom {
  readonly controlRoom: string | undefined;
  readonly group: string | undefined;
}

export interface RoomUse extends ReservingRoom {
  readonly seats: number;
}

/**
 * Tracks which free seats each Control Room may take. Its use counts first against its own reservation, then against the
 * reservation of its group, then against the unreserved rest. Unused reservations of others are not available to it.
 *
 * More seats may be reserved than are free, because seats were in use before they were reserved, or are held back after
 * the loss of a region. Then each reservation may use the free seats, first come first served, and the rest is empty.
 */
export class OpenSeats {
  readonly #byRoom = new Map<string, number>();
  readonly #byGroup = new Map<string, number>();
  #free: number;
  #rest: number;

  constructor(free: number, reservations: readonly Reservation[], uses: readonly RoomUse[]) {
    for (const { controlRoom, group, seats } of reservations) {
      if (controlRoom !== undefined) this.#byRoom.set(controlRoom, seats);
      else if (group !== undefined) this.#byGroup.set(group, seats);
    }
    for (const use of uses) this.#useReservations(use, use.seats);
    this.#free = free;
    this.#rest = Math.max(0, free - sum(this.#byRoom) - sum(this.#byGroup));
  }

  /** The number of seats that a Control Room may take now. */
  openTo(room: ReservingRoom): number {
    return Math.min(this.#free, this.#ofRoom(room) + this.#ofGroup(room) + this.#rest);
  }

  /** Takes seats that are available to the Control Room. */
  take(room: ReservingRoom, seats: number): void {
    this.#rest -= this.#useReservations(room, seats);
    this.#free -= seats;
  }

  /** Sets aside every seat that the Control Room may take, so that no other one gets it. */
  close(room: ReservingRoom): void {
    const closed = this.#ofRoom(room) + this.#ofGroup(room) + this.#rest;
    this.#useReservations(room, closed);
    this.#rest = 0;
    this.#free = Math.max(0, this.#free - closed);
  }

  /** Reserved and unused seats; they may exceed the free seats. */
  get reservedUnused(): number {
    return sum(this.#byRoom) + sum(this.#byGroup);
  }

  get nothingLeft(): boolean {
    return this.#free === 0;
  }

  #ofRoom({ controlRoom }: ReservingRoom): number {
    return controlRoom === undefined ? 0 : (this.#byRoom.get(controlRoom) ?? 0);
  }

  #ofGroup({ group }: ReservingRoom): number {
    return group === undefined ? 0 : (this.#byGroup.get(group) ?? 0);
  }

  /** Returns the number of seats that no reservation covers. */
  #useReservations(room: ReservingRoom, seats: number): number {
    const ofRoom = Math.min(seats, this.#ofRoom(room));
    const ofGroup = Math.min(seats - ofRoom, this.#ofGroup(room));
    if (room.controlRoom !== undefined && ofRoom > 0) this.#byRoom.set(room.controlRoom, this.#ofRoom(room) - ofRoom);
    if (room.group !== undefined && ofGroup > 0) this.#byGroup.set(room.group, this.#ofGroup(room) - ofGroup);
    return seats - ofRoom - ofGroup;
  }
}

/** The maximum number of seats that a Control Room could take if no seat were in use. */
export function openAtMost(capacity: number, reservations: readonly Reservation[], room: ReservingRoom): number {
  return new OpenSeats(capacity, reservations, []).openTo(room);
}

function sum(counts: ReadonlyMap<string, number>): number {
  let total = 0;
  for (const count of counts.values()) total += count;
  return total;
}
