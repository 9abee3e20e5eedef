import fc from 'fast-check';
import {
  OpenSeats,
  openAtMost,
  type Reservation,
  type ReservingRoom,
  type RoomUse,
} from '../../src/reservations/core/reservations';

const GROUP_OF: Record<string, string | undefined> = { a: 'g', b: 'g', c: 'h', d: undefined };
const NOBODY: ReservingRoom = { controlRoom: undefined, group: undefined };

function room(controlRoom: string): ReservingRoom {
  return { controlRoom, group: GROUP_OF[controlRoom] };
}

function use(controlRoom: string, seats: number): RoomUse {
  return { ...room(controlRoom), seats };
}

function open(free: number, reservations: Reservation[], uses: RoomUse[] = []) {
  return (controlRoom?: string): number =>
    new OpenSeats(free, reservations, uses).openTo(controlRoom ? room(controlRoom) : NOBODY);
}

describe('OpenSeats: seats that a Control Room may take', () => {
  it('are all free seats without reservations', () => {
    const openTo = open(7, []);
    expect([openTo('a'), openTo('d'), openTo()]).toEqual([7, 7, 7]);
  });

  it('exclude unused reservations of others', () => {
    const openTo = open(10, [{ controlRoom: 'a', seats: 4 }]);
    expect([openTo('a'), openTo('b'), openTo()]).toEqual([10, 6, 6]);
  });

  it('count use against its own reservation first', () => {
    const openTo = open(7, [{ controlRoom: 'a', seats: 4 }], [use('a', 3)]);
    expect([openTo('a'), openTo('b')]).toEqual([7, 6]);
  });

  it('count use then against its group, and then against the rest', () => {
    const reservations = [
      { controlRoom: 'a', seats: 2 },
      { group: 'g', seats: 3 },
    ];
    const openTo = open(6, reservations, [use('a', 4)]);
    // Two of the room's seats and two of the group's are used. One is left for the group, five for others.
    expect([openTo('a'), openTo('b'), openTo('c')]).toEqual([6, 6, 5]);
  });

  it('are granted first come, first served when more is reserved than free', () => {
    const openTo = open(3, [
      { controlRoom: 'a', seats: 5 },
      { controlRoom: 'c', seats: 2 },
    ]);
    expect([openTo('a'), openTo('c'), openTo('b')]).toEqual([3, 2, 0]);
  });

  it('are at most the seats that no one else reserved', () => {
    const reservations = [
      { controlRoom: 'a', seats: 4 },
      { group: 'h', seats: 3 },
    ];
    expect([openAtMost(10, reservations, room('a')), openAtMost(10, reservations, room('d'))]).toEqual([7, 3]);
  });
});

describe('OpenSeats: close', () => {
  it('sets aside every seat that the Control Room may take', () => {
    const seats = new OpenSeats(
      10,
      [
        { controlRoom: 'a', seats: 4 },
        { controlRoom: 'c', seats: 3 },
      ],
      [],
    );
    seats.close(room('a'));
    expect([seats.openTo(room('a')), seats.openTo(room('d')), seats.openTo(room('c'))]).toEqual([0, 0, 3]);
  });

  it('leaves no seat without reservations', () => {
    const seats = new OpenSeats(10, [], []);
    seats.close(NOBODY);
    expect(seats.nothingLeft).toBe(true);
  });
});

/** Says the rule in one line instead of keeping accounts. */
function dumbTwin(free: number, reservations: Reservation[], uses: Map<string, number>, asking: string, seats: number) {
  const used = (name: string) => uses.get(name) ?? 0;
  const reservedFor = (name: string) => reservations.find(({ controlRoom }) => controlRoom === name)?.seats ?? 0;
  const unusedOfRoom = (name: string) => Math.max(0, reservedFor(name) - used(name));
  const beyondOwn = (name: string) => Math.max(0, used(name) - reservedFor(name));
  const unusedOfGroup = (group: string) => {
    const reserved = reservations.find((each) => each.group === group)?.seats ?? 0;
    const members = Object.keys(GROUP_OF).filter((name) => GROUP_OF[name] === group);
    return Math.max(0, reserved - members.reduce((sum, name) => sum + beyondOwn(name), 0));
  };
  const rooms = Object.keys(GROUP_OF);
  const mine = unusedOfRoom(asking) + (GROUP_OF[asking] ? unusedOfGroup(GROUP_OF[asking]) : 0);
  const all = rooms.reduce((sum, name) => sum + unusedOfRoom(name), 0) + unusedOfGroup('g') + unusedOfGroup('h');
  return seats <= free && (seats <= mine || free - seats >= all - mine);
}

it('OpenSeats: agrees with a naive model', () => {
  const name = fc.constantFrom('a', 'b', 'c', 'd');
  const reservation = fc.oneof(
    fc.record({ controlRoom: name, seats: fc.integer({ min: 1, max: 6 }) }),
    fc.record({ group: fc.constantFrom('g', 'h'), seats: fc.integer({ min: 1, max: 6 }) }),
  );
  const reservations = fc.uniqueArray(reservation, {
    maxLength: 5,
    selector: (each) => ('controlRoom' in each ? each.controlRoom : each.group),
  });
  const step = fc.record({ name, seats: fc.integer({ min: -4, max: 5 }) });
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 16 }),
      reservations,
      fc.array(step, { maxLength: 30 }),
      (capacity, set, steps) => {
        const uses = new Map<string, number>();
        for (const { name: asking, seats } of steps) {
          const taken = [...uses.values()].reduce((sum, count) => sum + count, 0);
          const held = uses.get(asking) ?? 0;
          if (seats <= 0) {
            uses.set(asking, Math.max(0, held + seats));
            continue;
          }
          const free = capacity - taken;
          const books = new OpenSeats(
            free,
            set,
            [...uses].map(([each, count]) => use(each, count)),
          );
          const allowed = seats <= books.openTo(room(asking));
          expect(allowed).toBe(dumbTwin(free, set, uses, asking, seats));
          if (!allowed) continue;
          // Taking from the account leaves it as an account of the new use would begin.
          books.take(room(asking), seats);
          uses.set(asking, held + seats);
          const anew = new OpenSeats(
            free - seats,
            set,
            [...uses].map(([each, count]) => use(each, count)),
          );
          for (const other of Object.keys(GROUP_OF)) expect(books.openTo(room(other))).toBe(anew.openTo(room(other)));
        }
      },
    ),
    { numRuns: 2_000 },
  );
});
