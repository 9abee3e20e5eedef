import { type SeatCount, seatsFree } from '../../granting/core/seats';
import { OpenSeats, type Reservation, type RoomUse } from './reservations';

/** The reservations of a pool, and the use of every Control Room that has one. */
export interface ReservedSeats {
  readonly reservations: readonly Reservation[];
  readonly uses: readonly RoomUse[];
}

export interface ReservationChange {
  readonly pool: SeatCount;
  readonly before: ReservedSeats;
  readonly after: ReservedSeats;
}

export type ReservationVerdict =
  | { readonly kind: 'reserved'; readonly seatsReserved: number }
  /** Only sold seats can be reserved; overdraft does not count. */
  | { readonly kind: 'more_reserved_than_sold'; readonly seats: number; readonly seatsReserved: number }
  /** Others hold so many seats that the reservation could not be used now. */
  | { readonly kind: 'reserved_seats_in_use'; readonly seatsFree: number; readonly seatsMissing: number };

/**
 * Decides whether the reservations of a pool may change. The holder of a reservation can take its seats at any moment, so
 * reserved and unused seats must be free now. No lease is ended for a reservation; the change is refused until enough
 * seats are released. A change that reduces an existing shortage is always accepted.
 */
export function reservationVerdict({ pool, before, after }: ReservationChange): ReservationVerdict {
  const seatsReserved = after.reservations.reduce((sum, { seats }) => sum + seats, 0);
  const reservedBefore = before.reservations.reduce((sum, { seats }) => sum + seats, 0);
  if (seatsReserved > pool.seats && seatsReserved > reservedBefore) {
    return { kind: 'more_reserved_than_sold', seats: pool.seats, seatsReserved };
  }
  const free = seatsFree(pool);
  const unused = unusedOf(after, free);
  if (unused > free && unused > unusedOf(before, free)) {
    return { kind: 'reserved_seats_in_use', seatsFree: free, seatsMissing: unused - free };
  }
  return { kind: 'reserved', seatsReserved };
}

function unusedOf({ reservations, uses }: ReservedSeats, free: number): number {
  return new OpenSeats(free, reservations, uses).reservedUnused;
}
