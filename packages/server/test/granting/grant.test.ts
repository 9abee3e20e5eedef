import { ANYONE, ENTITLEMENT } from '@evergrant/test-support/server/core-facts';
import fc from 'fast-check';
import { decideGrants, type GrantBatch, type GrantRequest } from '../../src/granting/core/grant';
import type { Lease, LeaseClaim } from '../../src/granting/core/lease';
import { NOTHING_RESERVED, type PoolCount, type Reserved } from '../../src/granting/core/pool-ledger';

const NOW_MS = 1_000_000;

const POOL: PoolCount = {
  id: 1,
  seats: 10,
  overdraft: 0,
  seatsTaken: 0,
  seatsHeldBack: 0,
  seatsUnresolved: 0,
  seatsOver: 0,
  grantSeq: 100,
  ackedSeq: 100,
  escrow: 10,
  queueSeq: 0,
};

const LEASE: Lease = {
  id: 'a',
  poolId: 1,
  holder: 'room',
  controlRoom: undefined,
  identity: undefined,
  seats: 2,
  overdraft: false,
  borrowed: false,
  seq: 100,
  epoch: 2,
  expiresAtMs: NOW_MS + 1,
  state: 'live',
};

const CLAIM: LeaseClaim = {
  leaseId: 'lost',
  licenseId: 'lic-1',
  product: 'p',
  feature: 'f',
  holder: 'room',
  controlRoom: undefined,
  identity: undefined,
  borrowed: false,
  seats: 2,
  seq: 90,
  epoch: 1,
  expiresAtMs: NOW_MS,
};

function checkout(leaseId: string, seats: number, holder = 'room'): GrantRequest {
  return { ...ANYONE, intent: 'checkout', leaseId, seats, holder };
}

function adopt(claim: LeaseClaim): GrantRequest {
  return { ...ANYONE, intent: 'adopt', leaseId: claim.leaseId, seats: claim.seats, holder: claim.holder, claim };
}

interface State {
  pool?: PoolCount;
  known?: Lease[];
  reserved?: Reserved;
  mustOutliveMs?: number;
}

function decide(
  requests: GrantRequest[],
  { pool = POOL, known = [], reserved = NOTHING_RESERVED, mustOutliveMs }: State = {},
) {
  const batch: GrantBatch = {
    pool,
    entitlement: ENTITLEMENT,
    epoch: 2,
    nowMs: NOW_MS,
    mustOutliveMs,
    known,
    reserved,
    places: [],
    protection: 'followed',
    requests,
    policy: { authorityLeaseMs: 30_000, skewMs: 5_000 },
  };
  return decideGrants(batch);
}

function kinds(requests: GrantRequest[], state = {}): string[] {
  return decide(requests, state).verdicts.map((verdict) => (verdict.kind === 'granted' ? verdict.how : verdict.kind));
}

describe('a batch of checkouts', () => {
  it('is granted in the order of arrival until the seats are taken', () => {
    expect(kinds([checkout('a', 6), checkout('b', 5), checkout('c', 4), checkout('d', 1)])).toEqual([
      'new',
      'no_seat_available',
      'new',
      'no_seat_available',
    ]);
  });

  it('numbers seats, not requests', () => {
    const { inserted, pool } = decide([checkout('a', 6), checkout('b', 4)]);
    expect(inserted.map((lease) => lease.seq)).toEqual([106, 110]);
    expect(pool).toMatchObject({ grantSeq: 110, seatsTaken: 10 });
  });

  it('never sells what is held back', () => {
    expect(
      kinds([checkout('a', 8), checkout('b', 7)], { pool: { ...POOL, seatsHeldBack: 3, seatsUnresolved: 3 } }),
    ).toEqual(['no_seat_available', 'new']);
  });

  it('says how many seats there are and how many are free', () => {
    const { verdicts } = decide([checkout('a', 11)], { pool: { ...POOL, seatsTaken: 4 } });
    expect(verdicts).toEqual([{ kind: 'no_seat_available', seats: 10, seatsFree: 6 }]);
  });

  it('sells nothing while seats are counted twice', () => {
    expect(kinds([checkout('a', 1)], { pool: { ...POOL, seatsTaken: 12, seatsOver: 2 } })).toEqual([
      'no_seat_available',
    ]);
  });

  it('treats the same lease twice in one batch as one', () => {
    const { verdicts, inserted } = decide([checkout('a', 6), checkout('a', 6)]);
    expect(verdicts.map((verdict) => verdict.kind === 'granted' && verdict.how)).toEqual(['new', 'again']);
    expect(inserted).toHaveLength(1);
  });
});

describe('a lease that is known', () => {
  it.each<[string, Partial<Lease>, GrantRequest, string]>([
    ['the same request again', {}, checkout('a', 2), 'again'],
    ['other seats', {}, checkout('a', 3), 'lease_conflict'],
    ['another holder', {}, checkout('a', 2, 'other'), 'lease_conflict'],
    ['another pool', { poolId: 2 }, checkout('a', 2), 'lease_conflict'],
    ['released', { state: 'released' }, checkout('a', 2), 'lease_released'],
    ['expired', { state: 'expired' }, checkout('a', 2), 'lease_expired'],
    ['past its time, though nobody has ended it', { expiresAtMs: NOW_MS }, checkout('a', 2), 'lease_expired'],
    [
      'released, with a token that would prove it',
      { state: 'released' },
      { ...adopt(CLAIM), leaseId: 'a' },
      'lease_released',
    ],
  ])('%s', (_why, lease, request, expected) => {
    expect(kinds([request], { known: [{ ...LEASE, ...lease }] })).toEqual([expected]);
  });
});

describe('an installation that forgot its lease', () => {
  const again = { ...checkout('b', 2), identity: 'laptop' };
  const known = { ...LEASE, identity: 'laptop', expiresAtMs: NOW_MS + 60_000 };

  it('gets it back', () => {
    expect(decide([again], { known: [known] }).verdicts).toMatchObject([{ how: 'again', lease: { id: 'a' } }]);
  });

  it('gets back what an earlier epoch granted when nothing of that is unknown', () => {
    expect(kinds([again], { known: [{ ...known, epoch: 1 }] })).toEqual(['again']);
  });

  it('does not while its release may have been lost with a region, which may have sold its seat again', () => {
    const lost = { mustOutliveMs: NOW_MS - 1 };
    expect(kinds([again], { ...lost, known: [{ ...known, epoch: 1 }] })).toEqual(['new']);
    const full = { ...POOL, seatsTaken: 10 };
    expect(kinds([again], { ...lost, pool: full, known: [{ ...known, epoch: 1 }] })).toEqual(['no_seat_available']);
    expect(kinds([again], { ...lost, known: [known] })).toEqual(['again']);
  });
});

describe('two checkouts of one installation in one batch', () => {
  it('insert one lease with the handover of the later one', () => {
    const [one, other] = ['b', 'c'].map((id) => ({ ...checkout(id, 2), identity: 'laptop' }));
    const { verdicts, inserted, handedOver } = decide([one!, other!]);
    expect(verdicts).toMatchObject([{ lease: { id: 'b', handover: 0 } }, { lease: { id: 'b', handover: 1 } }]);
    expect(inserted).toMatchObject([{ id: 'b', handover: 1 }]);
    expect(handedOver).toEqual([]);
  });
});

describe('adoption', () => {
  const held: PoolCount = { ...POOL, seatsTaken: 5, seatsHeldBack: 3, seatsUnresolved: 3 };

  it('takes the lease over under its id, out of the held-back seats', () => {
    const { inserted, pool } = decide([adopt(CLAIM)], { pool: held });
    expect(inserted).toMatchObject([{ id: 'lost', holder: 'room', seats: 2, epoch: 2 }]);
    expect(pool).toMatchObject({ seatsTaken: 7, seatsHeldBack: 1, seatsUnresolved: 1, seatsOver: 0 });
  });

  it('leaves as many free seats as there were', () => {
    const { verdicts } = decide([adopt(CLAIM), checkout('n', 3)], { pool: held });
    expect(verdicts[1]).toEqual({ kind: 'no_seat_available', seats: 10, seatsFree: 2 });
  });

  it('happens in a full pool: the release of a counted lease was lost', () => {
    const { verdicts, pool } = decide([adopt(CLAIM)], { pool: { ...POOL, seatsTaken: 10, seatsUnresolved: 3 } });
    expect(verdicts).toMatchObject([{ kind: 'granted', how: 'adopted' }]);
    expect(pool).toMatchObject({ seatsTaken: 12, seatsOver: 2, seatsHeldBack: 0, seatsUnresolved: 1 });
  });

  it('needs free seats when the token ran out while the lost region could still decide: its seat may be sold', () => {
    const full = { ...POOL, seatsTaken: 10, seatsUnresolved: 3 };
    expect(kinds([adopt(CLAIM)], { pool: full, mustOutliveMs: CLAIM.expiresAtMs })).toEqual(['lease_expired']);
    expect(kinds([adopt(CLAIM)], { pool: full, mustOutliveMs: CLAIM.expiresAtMs - 1 })).toEqual(['adopted']);
    const { verdicts, pool } = decide([adopt(CLAIM)], { pool: held, mustOutliveMs: CLAIM.expiresAtMs });
    expect(verdicts[0]).toMatchObject({ how: 'adopted' });
    expect(pool).toMatchObject({ seatsUnresolved: 3, seatsHeldBack: 3 });
  });

  it('beyond the awaited seats needs free ones', () => {
    const four = { ...CLAIM, seats: 6 };
    expect(kinds([adopt(four)], { pool: held })).toEqual(['lease_expired']);
    expect(kinds([adopt({ ...CLAIM, seats: 5 })], { pool: held })).toEqual(['adopted']);
  });

  it('is refused to a token of this epoch: it would be known', () => {
    expect(kinds([adopt({ ...CLAIM, epoch: 2 })], { pool: held })).toEqual(['lease_not_found']);
  });

  const windowMs = 60_000 + 30_000 + 5_000;
  const old = adopt({ ...CLAIM, expiresAtMs: NOW_MS - windowMs - 1 });

  it('is refused to an old token when nothing is awaited any more, though seats are free', () => {
    expect(kinds([adopt({ ...CLAIM, expiresAtMs: NOW_MS - windowMs })])).toEqual(['adopted']);
    expect(kinds([old])).toEqual(['lease_expired']);
  });

  it('waits for what is awaited, however long the region was down before it was given up', () => {
    expect(kinds([old], { pool: held, mustOutliveMs: NOW_MS - windowMs - 2 })).toEqual(['adopted']);
    expect(kinds([old], { pool: held, mustOutliveMs: NOW_MS - windowMs - 1 })).toEqual(['lease_expired']);
  });

  it('is refused to another Control Room than the one that lost it', () => {
    const claim = { ...CLAIM, controlRoom: 'room-a' };
    expect(kinds([{ ...adopt(claim), controlRoom: 'room-b' }], { pool: held })).toEqual(['lease_not_found']);
    const { inserted } = decide([{ ...adopt(claim), controlRoom: 'room-a' }], { pool: held });
    expect(inserted).toMatchObject([{ controlRoom: 'room-a' }]);
  });

  it('is refused to a Control Room that is suspended, and to none in fail-safe', () => {
    expect(kinds([{ ...adopt(CLAIM), controlRoomState: 'suspended' }], { pool: held })).toEqual([
      'control_room_suspended',
    ]);
    expect(kinds([{ ...adopt(CLAIM), controlRoomState: 'fail_safe' }], { pool: held })).toEqual(['adopted']);
  });

  it('without a token finds nothing', () => {
    expect(kinds([{ ...ANYONE, intent: 'adopt', leaseId: 'x', seats: 1, holder: 'room' }])).toEqual([
      'lease_not_found',
    ]);
  });

  it('is what a checkout with a token asks for first', () => {
    expect(kinds([{ ...adopt(CLAIM), intent: 'checkout' }], { pool: held })).toEqual(['adopted']);
  });

  it('refused, lets a checkout take a new seat', () => {
    expect(kinds([{ ...adopt({ ...CLAIM, epoch: 2 }), intent: 'checkout' }], { pool: held })).toEqual(['new']);
  });
});

it('keeps every count within its bounds, whatever is asked', () => {
  const request = fc.record({
    kind: fc.constantFrom('checkout', 'adopt'),
    id: fc.integer({ min: 1, max: 12 }),
    seats: fc.integer({ min: 1, max: 6 }),
  });
  const counts = fc.record({ taken: fc.integer({ min: 0, max: 10 }), awaited: fc.integer({ min: 0, max: 6 }) });
  fc.assert(
    fc.property(counts, fc.array(request, { maxLength: 20 }), ({ taken, awaited }, asked) => {
      const pool = {
        ...POOL,
        seatsTaken: taken,
        seatsUnresolved: awaited,
        seatsHeldBack: Math.min(awaited, 10 - taken),
      };
      const after = decide(
        asked.map(({ kind, id, seats }) =>
          kind === 'checkout' ? checkout(`l${id}`, seats) : adopt({ ...CLAIM, leaseId: `l${id}`, seats }),
        ),
        { pool },
      );
      const granted = after.inserted.reduce((sum, lease) => sum + lease.seats, 0);
      expect(after.pool.seatsTaken).toBe(taken + granted);
      expect(after.pool.seatsTaken + after.pool.seatsHeldBack).toBeLessThanOrEqual(10 + after.pool.seatsOver);
      expect(after.pool.seatsHeldBack).toBeLessThanOrEqual(after.pool.seatsUnresolved);
      // What is counted twice is never more than what the lost region may have granted without our knowing.
      expect(after.pool.seatsOver).toBeLessThanOrEqual(awaited);
    }),
  );
});
