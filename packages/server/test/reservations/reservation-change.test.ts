import fc from 'fast-check';
import { type SeatCount, seatsFree } from '../../src/granting/core/seats';
import { type ReservationChange, reservationVerdict } from '../../src/reservations/core/reservation-change';
import { OpenSeats, type Reservation, type RoomUse } from '../../src/reservations/core/reservations';

const pool = (changes: Partial<SeatCount> = {}): SeatCount => ({
  seats: 10,
  overdraft: 0,
  seatsTaken: 0,
  seatsHeldBack: 0,
  seatsUnresolved: 0,
  seatsOver: 0,
  ...changes,
});
const forRoom = (controlRoom: string, seats: number): Reservation => ({ controlRoom, seats });
const use = (controlRoom: string, seats: number, group?: string): RoomUse => ({ controlRoom, group, seats });

const judge = (changes: Partial<ReservationChange>) =>
  reservationVerdict({
    pool: pool(),
    before: { reservations: [], uses: [] },
    after: { reservations: [], uses: [] },
    ...changes,
  });

describe('reservationVerdict', () => {
  it('accepts a reservation of free seats', () => {
    const after = { reservations: [forRoom('a', 4)], uses: [] };
    expect(judge({ pool: pool({ seatsTaken: 6 }), after })).toEqual({ kind: 'reserved', seatsReserved: 4 });
  });

  it('refuses a reservation of seats that others hold', () => {
    const after = { reservations: [forRoom('a', 4)], uses: [] };
    expect(judge({ pool: pool({ seatsTaken: 7 }), after })).toEqual({
      kind: 'reserved_seats_in_use',
      seatsFree: 3,
      seatsMissing: 1,
    });
  });

  it('counts the seats that the Control Room holds already', () => {
    const after = { reservations: [forRoom('a', 4)], uses: [use('a', 3)] };
    expect(judge({ pool: pool({ seatsTaken: 9 }), after })).toMatchObject({ kind: 'reserved' });
  });

  it('does not reserve overdraft', () => {
    const after = { reservations: [forRoom('a', 7), forRoom('b', 4)], uses: [] };
    expect(judge({ pool: pool({ overdraft: 5 }), after })).toEqual({
      kind: 'more_reserved_than_sold',
      seats: 10,
      seatsReserved: 11,
    });
  });

  it('does not reserve seats that are held back', () => {
    const after = { reservations: [forRoom('a', 4)], uses: [] };
    expect(judge({ pool: pool({ seatsTaken: 4, seatsHeldBack: 3 }), after })).toMatchObject({
      kind: 'reserved_seats_in_use',
      seatsMissing: 1,
    });
  });

  it('always accepts a reduction', () => {
    const before = { reservations: [forRoom('a', 8)], uses: [] };
    const after = { reservations: [forRoom('a', 7)], uses: [] };
    expect(judge({ pool: pool({ seatsTaken: 9 }), before, after })).toMatchObject({ kind: 'reserved' });
  });
});

const subjects = ['a', 'b', 'c'] as const;
const anyReservations = fc
  .uniqueArray(fc.record({ controlRoom: fc.constantFrom(...subjects), seats: fc.integer({ min: 1, max: 8 }) }), {
    selector: ({ controlRoom }) => controlRoom,
  })
  .map((reservations): Reservation[] => reservations);
const anyUses = fc.uniqueArray(
  fc.record({
    controlRoom: fc.constantFrom(...subjects),
    group: fc.constant(undefined),
    seats: fc.integer({ min: 0, max: 6 }),
  }),
  { selector: ({ controlRoom }) => controlRoom },
);

it('reservationVerdict: after an accepted change, every reservation can be used in full at once', () => {
  fc.assert(
    fc.property(
      anyReservations,
      anyUses,
      fc.integer({ min: 0, max: 10 }),
      fc.integer({ min: 0, max: 3 }),
      (reservations, uses, unbound, overdraft) => {
        const taken = uses.reduce((sum, { seats }) => sum + seats, unbound);
        fc.pre(taken <= 10 + overdraft);
        const count = pool({ overdraft, seatsTaken: taken });
        const after = { reservations, uses };
        const verdict = judge({ pool: count, after });
        if (verdict.kind !== 'reserved') return;
        const open = new OpenSeats(seatsFree(count), reservations, uses);
        for (const { controlRoom = '', seats } of reservations) {
          const used = uses.find((each) => each.controlRoom === controlRoom)?.seats ?? 0;
          const room = { controlRoom, group: undefined };
          const missing = Math.max(0, seats - used);
          expect(open.openTo(room)).toBeGreaterThanOrEqual(missing);
          open.take(room, missing);
        }
      },
    ),
    { numRuns: 2_000 },
  );
});
