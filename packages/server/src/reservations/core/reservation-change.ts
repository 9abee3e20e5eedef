import { type SeatCount, seatsFree } from '../../granting/core/seats';
import { OpenSeats, type Reservation, type RoomUse } from './reservations';

/** The reservations of a pool, and the use of every Control Room that one of them is for. */
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
  /** A reservation is a promise of seats that were sold: overdraft promises nothing. */
  | { readonly kind: 'more_reserved_than_sold'; readonly seats: number; readonly seatsReserved: number }
  /** Others have taken so many seats that what is reserved could not be had now. */
  | { readonly kind: 'reserved_seats_in_use'; readonly seatsFree: number; readonly seatsMissing: number };

/**
 * Whether reservations may become what they are to be. Who has a reservation may take its seats at any moment: so what
 * is reserved and not used must be free now. Nobody is driven out for it; it is refused, and asked again when enough
 * was given back. What makes a shortage smaller is never refused.
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
