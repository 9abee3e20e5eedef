/** The seats of a pool, as read under its row lock. */
export interface SeatCount {
  readonly seats: number;
  /** Seats that may be taken beyond those sold. */
  readonly overdraft: number;
  readonly seatsTaken: number;
  readonly seatsHeldBack: number;
  /** Seats of possible unknown grants of a lost region: the escrow less the adopted seats. */
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

/** True when more seats are held than were sold, without the seats counted twice. */
export function isOverdrawn({ seats, seatsTaken, seatsOver }: SeatCount): boolean {
  return seatsTaken - seatsOver > seats;
}
