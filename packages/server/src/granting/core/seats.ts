/** The seats of a pool, as read under its row lock. */
export interface SeatCount {
  readonly seats: number;
  /** Seats that may be taken beyond those sold. */
  readonly overdraft: number;
  readonly seatsTaken: number;
  readonly seatsHeldBack: number;
  /** Seats of grants of the lost region that may yet come to light: escrow less what has been adopted. */
  readonly seatsUnresolved: number;
  /** Seats counted twice, because an adopted lease shows that the release of a counted one was lost. */
  readonly seatsOver: number;
}

export function capacityOf({ seats, overdraft }: Pick<SeatCount, 'seats' | 'overdraft'>): number {
  return seats + overdraft;
}

/** Seats that are neither taken nor held back. */
export function seatsFree(count: SeatCount): number {
  return Math.max(0, capacityOf(count) - count.seatsTaken - count.seatsHeldBack);
}

/** Whether more seats are truly held than were sold. */
export function isOverdrawn({ seats, seatsTaken, seatsOver }: SeatCount): boolean {
  return seatsTaken - seatsOver > seats;
}
