import { ANYONE, ENTITLEMENT } from '@evergrant/test-support/server/core-facts';
import fc from 'fast-check';
import { decideGrants, type GrantRequest } from '../../src/granting/core/grant';
import type { Lease } from '../../src/granting/core/lease';
import { PLACE_TTL_MS, type QueuePlace } from '../../src/queue/core/queue';
import type { Reservation, RoomUse } from '../../src/reservations/core/reservations';

/**
 * Histories of one pool: checkouts with and without a wish to wait, asking again, releases, leaving the line, and time
 * that passes. Each is replayed twice: by the core, whose decisions are kept as the database would keep them, and by a
 * dumb twin that moves seats about one by one. Both must say the same, and the pool must never be oversold.
 */
const TTL_MS = ENTITLEMENT.leaseTtlMs;
const GROUP_OF: Readonly<Record<string, string>> = { a: 'g', b: 'g', c: 'h' };
const ROOMS = ['a', 'b', 'c', undefined] as const;
type Room = (typeof ROOMS)[number];

interface Pool {
  readonly seats: number;
  readonly overdraft: number;
  readonly reservations: readonly Reservation[];
}

interface Ask {
  readonly id: string;
  readonly room: Room;
  readonly seats: number;
  readonly queue: boolean;
}

type Step =
  | { readonly kind: 'ask'; readonly asks: readonly Ask[] }
  | { readonly kind: 'release' | 'leave'; readonly id: string }
  | { readonly kind: 'wait'; readonly ms: number };

// --- The core, with what the database keeps -------------------------------------------------------------------------

class Database {
  readonly leases = new Map<string, Lease>();
  places: QueuePlace[] = [];
  grantSeq = 0;
  queueSeq = 0;
  readonly pool: Pool;

  constructor(pool: Pool) {
    this.pool = pool;
  }

  live(nowMs: number): Lease[] {
    return [...this.leases.values()].filter(({ state, expiresAtMs }) => state === 'live' && expiresAtMs > nowMs);
  }

  uses(nowMs: number): RoomUse[] {
    return this.live(nowMs).flatMap(({ controlRoom, seats }) =>
      controlRoom === undefined ? [] : [{ controlRoom, group: GROUP_OF[controlRoom], seats }],
    );
  }

  ask(asks: readonly Ask[], nowMs: number): string[] {
    const { seats, overdraft, reservations } = this.pool;
    const seatsTaken = this.live(nowMs).reduce((sum, lease) => sum + lease.seats, 0);
    const decision = decideGrants({
      pool: {
        id: 1,
        seats,
        overdraft,
        seatsTaken,
        seatsHeldBack: 0,
        seatsUnresolved: 0,
        seatsOver: 0,
        grantSeq: this.grantSeq,
        ackedSeq: this.grantSeq,
        escrow: seats,
        queueSeq: this.queueSeq,
      },
      entitlement: { ...ENTITLEMENT, seats, overdraft },
      epoch: 1,
      nowMs,
      mustOutliveMs: undefined,
      known: asks.flatMap(({ id }) => this.leases.get(id) ?? []),
      reserved: { reservations, uses: this.uses(nowMs), groups: new Map(Object.entries(GROUP_OF)) },
      places: this.places.filter((place) => place.expiresAtMs > nowMs),
      requests: asks.map(requestOf),
      policy: { authorityLeaseMs: 30_000, skewMs: 5_000 },
      protection: 'followed',
    });
    for (const lease of decision.inserted) this.leases.set(lease.id, lease);
    this.grantSeq = decision.pool.grantSeq;
    const { written, left, lastNumber } = decision.queue;
    const changed = new Set([...left, ...written.map((place) => place.leaseId)]);
    this.places = [...this.places.filter(({ leaseId }) => !changed.has(leaseId)), ...written];
    this.queueSeq = lastNumber;
    return decision.verdicts.map((verdict) => {
      if (verdict.kind === 'queued') return `place ${verdict.position}`;
      return verdict.kind === 'granted' ? verdict.how + (verdict.lease.overdraft ? ' overdraft' : '') : verdict.kind;
    });
  }
}

function requestOf({ id, room, seats, queue }: Ask): GrantRequest {
  return { ...ANYONE, intent: 'checkout', leaseId: id, holder: 'h', controlRoom: room, seats, queue };
}

// --- The dumb twin
// ----------------------------------------------------------------------------------------------------

interface Slot {
  readonly room?: string;
  readonly group?: string;
  state: 'free' | 'taken' | 'kept';
}

interface Wish {
  readonly id: string;
  readonly room: Room;
  readonly seats: number;
  untilMs: number;
}

/** Every seat is a slot with a label; a wish walks along the slots that it may have, its own before the common ones. */
class DumbTwin {
  readonly ended = new Map<string, Wish>();
  leases: Wish[] = [];
  line: Wish[] = [];
  readonly pool: Pool;

  constructor(pool: Pool) {
    this.pool = pool;
  }

  #slots(): Slot[] {
    const { seats, overdraft, reservations } = this.pool;
    const reserved = reservations.flatMap(({ controlRoom, group, seats: count }) =>
      Array.from({ length: count }, (): Slot => {
        if (controlRoom !== undefined) return { room: controlRoom, state: 'free' };
        return { group: group!, state: 'free' };
      }),
    );
    const common = Array.from({ length: seats + overdraft - reserved.length }, (): Slot => ({ state: 'free' }));
    return [...reserved, ...common];
  }

  #allowed(slots: Slot[], room: Room): Slot[] {
    const own = slots.filter((slot) => room !== undefined && slot.room === room);
    const ofGroup = slots.filter(
      (slot) => room !== undefined && slot.group !== undefined && slot.group === GROUP_OF[room],
    );
    const common = slots.filter((slot) => slot.room === undefined && slot.group === undefined);
    return [...own, ...ofGroup, ...common].filter((slot) => slot.state === 'free');
  }

  ask(asked: Ask, nowMs: number): string {
    return this.#onKnown(asked, nowMs) ?? this.#onUnknown(asked, nowMs);
  }

  #onKnown({ id, room, seats }: Ask, nowMs: number): string | undefined {
    const known = this.ended.get(id) ?? this.leases.find((lease) => lease.id === id);
    if (!known) return undefined;
    if (isForeign(known, room)) return 'lease_conflict';
    if (this.ended.has(id)) return 'lease_released';
    if (known.untilMs <= nowMs) return 'lease_expired';
    return known.seats === seats ? 'again' : 'lease_conflict';
  }

  #onUnknown({ id, room, seats, queue }: Ask, nowMs: number): string {
    const line = this.line.filter((wish) => wish.untilMs > nowMs);
    const mine = line.findIndex((wish) => wish.id === id);
    const place = line[mine];
    if (place && (place.seats !== seats || isForeign(place, room))) return 'lease_conflict';
    const forRoom = place ? place.room : room;
    const slots = this.#slotsBehind(mine < 0 ? line : line.slice(0, mine), nowMs);
    if (this.#allowed(slots, forRoom).length >= seats) {
      this.line = this.line.filter((wish) => wish.id !== id);
      this.leases.push({ id, room: forRoom, seats, untilMs: nowMs + TTL_MS });
      const takenBefore = slots.filter((slot) => slot.state === 'taken').length;
      return takenBefore + seats > this.pool.seats ? 'new overdraft' : 'new';
    }
    if (!queue || seats > this.#allowed(this.#slots(), forRoom).length) return 'no_seat_available';
    if (place) place.untilMs = this.#renewed(place, nowMs);
    else this.line = [...line, { id, room, seats, untilMs: nowMs + PLACE_TTL_MS }];
    return `place ${mine < 0 ? line.length + 1 : mine + 1}`;
  }

  /** All slots: those of leases taken, and kept for those ahead whatever they could use. */
  #slotsBehind(ahead: readonly Wish[], nowMs: number): Slot[] {
    const slots = this.#slots();
    for (const lease of this.leases.filter(({ untilMs }) => untilMs > nowMs)) this.#occupy(slots, lease);
    for (const wish of ahead) {
      if (wish.seats > this.#allowed(this.#slots(), wish.room).length) continue;
      const allowed = this.#allowed(slots, wish.room);
      const enough = allowed.length >= wish.seats;
      for (const slot of enough ? allowed.slice(0, wish.seats) : allowed) slot.state = 'kept';
    }
    return slots;
  }

  /** A place that has most of its time left is not written again. */
  #renewed(place: Wish, nowMs: number): number {
    return place.untilMs - nowMs > 45_000 ? place.untilMs : nowMs + PLACE_TTL_MS;
  }

  #occupy(slots: Slot[], { room, seats }: Wish): void {
    for (const slot of this.#allowed(slots, room).slice(0, seats)) slot.state = 'taken';
  }
}

/** A token of a Control Room speaks for that one alone. */
function isForeign(wish: Wish, room: Room): boolean {
  return room !== undefined && wish.room !== room;
}

// --- Histories
// --------------------------------------------------------------------------------------------------------

const id = fc.integer({ min: 1, max: 14 }).map((n) => `lease-${n}`);
const ask: fc.Arbitrary<Ask> = fc.record({
  id,
  room: fc.constantFrom(...ROOMS),
  seats: fc.integer({ min: 1, max: 4 }),
  queue: fc.boolean(),
});
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant('ask' as const), asks: fc.array(ask, { minLength: 1, maxLength: 5 }) }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('release' as const, 'leave' as const), id }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 50_000 }) }) },
);
const pool: fc.Arbitrary<Pool> = fc.record({
  seats: fc.integer({ min: 4, max: 10 }),
  overdraft: fc.integer({ min: 0, max: 3 }),
  reservations: fc.uniqueArray(
    fc.oneof(
      fc.record({ controlRoom: fc.constantFrom('a', 'b', 'c'), seats: fc.integer({ min: 1, max: 2 }) }),
      fc.record({ group: fc.constantFrom('g', 'h'), seats: fc.integer({ min: 1, max: 2 }) }),
    ),
    { maxLength: 2, selector: (each) => JSON.stringify([{ ...each, seats: 0 }]) },
  ),
});

/** A request keeps its Control Room and its seats, mostly: what was asked first under an id is asked again. */
function consistent(asks: readonly Ask[], first: Map<string, Ask>, stray: boolean): Ask[] {
  return asks.map((each) => {
    const before = first.get(each.id) ?? each;
    first.set(each.id, before);
    return stray ? each : { ...before, queue: each.queue };
  });
}

function tell(about: Pool, steps: readonly (readonly [Step, boolean])[]): Set<string> {
  const database = new Database(about);
  const twin = new DumbTwin(about);
  const first = new Map<string, Ask>();
  const told = new Set<string>();
  let nowMs = 1_000_000;
  for (const [each, stray] of steps) {
    switch (each.kind) {
      case 'wait':
        nowMs += each.ms;
        break;
      case 'leave':
        database.places = database.places.filter((place) => place.leaseId !== each.id);
        twin.line = twin.line.filter((wish) => wish.id !== each.id);
        break;
      case 'release': {
        const lease = database.leases.get(each.id);
        if (!lease || lease.expiresAtMs <= nowMs || lease.state !== 'live') break;
        database.leases.set(each.id, { ...lease, state: 'released' });
        twin.ended.set(each.id, twin.leases.find((wish) => wish.id === each.id)!);
        twin.leases = twin.leases.filter((wish) => wish.id !== each.id);
        break;
      }
      case 'ask': {
        const asks = consistent(each.asks, first, stray && each.asks.length === 1);
        const said = database.ask(asks, nowMs);
        const expected = asks.map((asked) => twin.ask(asked, nowMs));
        expect(said).toEqual(expected.map((verdict, index) => againAsSaid(verdict, said[index]!)));
        for (const verdict of said) told.add(verdict.split(' ')[0]!);
        break;
      }
    }
    const live = database.live(nowMs);
    const taken = live.reduce((sum, lease) => sum + lease.seats, 0);
    expect(taken).toBeLessThanOrEqual(about.seats + about.overdraft);
    expect(taken).toBe(twin.leases.filter(({ untilMs }) => untilMs > nowMs).reduce((sum, { seats }) => sum + seats, 0));
    expect(taken + unusedReservations(about, live)).toBeLessThanOrEqual(about.seats + about.overdraft);
  }
  return told;
}

/** The twin does not keep whether a lease was granted in overdraft. */
function againAsSaid(expected: string, said: string): string {
  return expected === 'again' && said === 'again overdraft' ? said : expected;
}

/** Nobody ever took what the unused reservations of others need. */
function unusedReservations({ reservations }: Pool, live: readonly Lease[]): number {
  const used = (room: string) =>
    live.filter(({ controlRoom }) => controlRoom === room).reduce((sum, { seats }) => sum + seats, 0);
  const own = (room: string) => reservations.find(({ controlRoom }) => controlRoom === room)?.seats ?? 0;
  return reservations.reduce((sum, { controlRoom, group, seats }) => {
    if (controlRoom !== undefined) return sum + Math.max(0, seats - used(controlRoom));
    const members = Object.keys(GROUP_OF).filter((room) => GROUP_OF[room] === group);
    return sum + Math.max(0, seats - members.reduce((beyond, room) => beyond + Math.max(0, used(room) - own(room)), 0));
  }, 0);
}

const VERDICTS = ['new', 'again', 'place', 'no_seat_available', 'lease_conflict', 'lease_expired', 'lease_released'];

it('gets the same answers from the core and from a simple model, and is never oversold', () => {
  const told = new Set<string>();
  fc.assert(
    fc.property(pool, fc.array(fc.tuple(step, fc.boolean()), { maxLength: 40 }), (about, steps) => {
      for (const verdict of tell(about, steps)) told.add(verdict);
    }),
    { numRuns: 1_500 },
  );
  // The histories were worth telling only if everything happened in them.
  expect([...told].sort()).toEqual([...VERDICTS].sort());
});
