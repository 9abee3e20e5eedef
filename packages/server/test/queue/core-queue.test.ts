import { ANYONE, ENTITLEMENT } from '@evergrant/test-support/server/core-facts';
import { decideGrants, type GrantBatch, type GrantRequest } from '../../src/granting/core/grant';
import { NOTHING_RESERVED, type Reserved } from '../../src/granting/core/pool-ledger';
import { PLACE_TTL_MS, PLACES_MAX, type PlaceClaim, type QueuePlace } from '../../src/queue/core/queue';

const NOW_MS = 1_000_000;
const POLICY = { authorityLeaseMs: 30_000, skewMs: 5_000 };
const FULL = { seats: 10, overdraft: 0, seatsTaken: 10, seatsHeldBack: 0, seatsUnresolved: 0, seatsOver: 0 };

function place(leaseId: string, number: number, seats = 1, overrides: Partial<QueuePlace> = {}): QueuePlace {
  const nobody = { controlRoom: undefined, group: undefined, identity: undefined };
  return {
    leaseId,
    number,
    seats,
    holder: 'h',
    requestedBy: 'client',
    expiresAtMs: NOW_MS + 1,
    ...nobody,
    ...overrides,
  };
}

function waiting(leaseId: string, seats = 1, overrides: Partial<GrantRequest> = {}): GrantRequest {
  return { ...ANYONE, intent: 'checkout', leaseId, seats, holder: 'h', queue: true, ...overrides };
}

interface State {
  free?: number;
  places?: QueuePlace[];
  queueSeq?: number;
  reserved?: Reserved;
}

function decide(requests: GrantRequest[], { free = 0, places = [], queueSeq = 9, reserved = NOTHING_RESERVED }: State) {
  const batch: GrantBatch = {
    pool: { ...FULL, id: 1, seatsTaken: 10 - free, grantSeq: 0, ackedSeq: 0, escrow: 10, queueSeq },
    entitlement: ENTITLEMENT,
    epoch: 2,
    nowMs: NOW_MS,
    mustOutliveMs: undefined,
    known: [],
    reserved,
    places,
    requests,
    policy: POLICY,
    protection: 'followed',
  };
  return decideGrants(batch);
}

function tell(requests: GrantRequest[], state: State): string[] {
  return decide(requests, state).verdicts.map((verdict) =>
    verdict.kind === 'queued' ? `${verdict.how} ${verdict.position}` : verdict.kind,
  );
}

describe('a checkout that finds no seat', () => {
  it('is refused unless it wants to wait', () => {
    expect(tell([waiting('a', 1, { queue: false }), waiting('b')], {})).toEqual(['no_seat_available', 'new 1']);
  });

  it('gets the next number and the place behind all others', () => {
    const decision = decide([waiting('x'), waiting('y')], { places: [place('a', 7)] });
    expect(decision.verdicts).toMatchObject([{ position: 2 }, { position: 3 }]);
    expect(decision.queue.written).toMatchObject([
      { leaseId: 'x', number: 10, expiresAtMs: NOW_MS + PLACE_TTL_MS },
      { leaseId: 'y', number: 11 },
    ]);
    expect(decision.queue.lastNumber).toBe(11);
  });

  it('keeps its place and its number by asking again', () => {
    const { verdicts, queue } = decide([waiting('b')], { places: [place('a', 7), place('b', 8)] });
    expect(verdicts).toMatchObject([{ kind: 'queued', how: 'again', position: 2 }]);
    expect(queue.written).toMatchObject([{ leaseId: 'b', number: 8, expiresAtMs: NOW_MS + PLACE_TTL_MS }]);
  });

  it('asking again at once writes nothing', () => {
    const { queue } = decide([waiting('b')], { places: [place('b', 8, 1, { expiresAtMs: NOW_MS + PLACE_TTL_MS })] });
    expect(queue.written).toEqual([]);
  });

  it('is not taken in for what it could never get', () => {
    const reserved = { ...NOTHING_RESERVED, reservations: [{ controlRoom: 'other', seats: 8 }] };
    expect(tell([waiting('a', 11)], {})).toEqual(['no_seat_available']);
    expect(tell([waiting('a', 3), waiting('b', 2)], { reserved })).toEqual(['no_seat_available', 'new 1']);
  });

  it('is not taken in when too many wait already', () => {
    const places = Array.from({ length: PLACES_MAX }, (_, n) => place(`p${n}`, n));
    expect(tell([waiting('x'), waiting('p3')], { places })).toEqual(['queue_full', 'again 4']);
  });

  it('of an installation that has forgotten its lease id keeps the place it had, and its lease id', () => {
    const mine = { identity: 'container' };
    const { verdicts } = decide([waiting('new-id', 1, mine)], { places: [place('a', 7), place('b', 8, 1, mine)] });
    expect(verdicts).toMatchObject([{ kind: 'queued', how: 'again', position: 2, place: { leaseId: 'b' } }]);
    expect(decide([waiting('new-id', 1, mine)], { free: 2, places: [place('b', 8, 1, mine)] }).inserted).toMatchObject([
      { id: 'b' },
    ]);
  });

  it('cannot grow the wish while it waits, nor take the place of another Control Room', () => {
    const places = [place('a', 7, 1, { controlRoom: 'room-a' })];
    expect(tell([waiting('a', 2), waiting('a', 1, { controlRoom: 'room-b' })], { places })).toEqual([
      'lease_conflict',
      'lease_conflict',
    ]);
  });
});

describe('seats that come free', () => {
  it('go to the first place in the queue, even when others ask earlier', () => {
    const places = [place('a', 7), place('b', 8)];
    expect(tell([waiting('x', 1, { queue: false }), waiting('b'), waiting('a')], { free: 1, places })).toEqual([
      'no_seat_available',
      'again 2',
      'granted',
    ]);
  });

  it('are set aside for those ahead, and the rest may be had at once', () => {
    const places = [place('a', 7, 2), place('b', 8, 1)];
    expect(tell([waiting('x'), waiting('b'), waiting('y')], { free: 4, places })).toEqual([
      'granted',
      'granted',
      'new 2',
    ]);
  });

  it('are kept for a request for many seats until enough are free, so that it does not starve', () => {
    const places = [place('a', 7, 5)];
    expect(tell([waiting('x')], { free: 4, places })).toEqual(['new 2']);
    expect(tell([waiting('a', 5)], { free: 5, places })).toEqual(['granted']);
  });

  it('do not wait for a wish that has become impossible', () => {
    const reserved = { ...NOTHING_RESERVED, reservations: [{ controlRoom: 'other', seats: 6 }] };
    expect(tell([waiting('x')], { free: 7, places: [place('a', 7, 5)], reserved })).toEqual(['granted']);
  });

  it('that are reserved for a Control Room are not kept for others in line', () => {
    const reserved = { ...NOTHING_RESERVED, reservations: [{ controlRoom: 'room', seats: 2 }] };
    const places = [place('a', 7, 3)];
    const mine = { controlRoom: 'room' };
    expect(tell([waiting('x', 2, mine), waiting('y', 1, mine)], { free: 2, places, reserved })).toEqual([
      'granted',
      'new 2',
    ]);
  });

  it('belong to the Control Room that waited for them, regardless of the claiming token', () => {
    const { inserted } = decide([waiting('a')], { free: 1, places: [place('a', 7, 1, { controlRoom: 'room-a' })] });
    expect(inserted).toMatchObject([{ id: 'a', controlRoom: 'room-a' }]);
  });

  it('take the place out of the line', () => {
    const { queue, inserted } = decide([waiting('a')], { free: 1, places: [place('a', 7)] });
    expect(queue.left).toEqual(['a']);
    expect(inserted).toMatchObject([{ id: 'a' }]);
  });
});

describe('a place that was lost with a region', () => {
  const claim: PlaceClaim = {
    leaseId: 'lost',
    licenseId: 'lic-1',
    product: 'p',
    feature: 'f',
    holder: 'h',
    controlRoom: undefined,
    identity: undefined,
    seats: 1,
    number: 12,
    epoch: 1,
    expiresAtMs: NOW_MS,
  };
  const places = [place('a', 7), place('b', 1_000_010)];

  it('is taken up again under its number, before all that are newer than the loss', () => {
    const { verdicts, queue } = decide([waiting('lost', 1, { placeClaim: claim })], { places, queueSeq: 1_000_010 });
    expect(verdicts).toMatchObject([{ kind: 'queued', how: 'taken_up', position: 2 }]);
    expect(queue).toMatchObject({ written: [{ leaseId: 'lost', number: 12 }], lastNumber: 1_000_010 });
  });

  it('is a new place when its token is of this epoch: then it has merely lapsed', () => {
    expect(tell([waiting('lost', 1, { placeClaim: { ...claim, epoch: 2 } })], { places })).toEqual(['new 3']);
  });

  it('is a new place when nobody can have waited for it so long', () => {
    const windowMs = PLACE_TTL_MS + POLICY.authorityLeaseMs + POLICY.skewMs;
    const aged = (ageMs: number) => [waiting('lost', 1, { placeClaim: { ...claim, expiresAtMs: NOW_MS - ageMs } })];
    expect(tell(aged(windowMs), { places })).toEqual(['taken_up 2']);
    expect(tell(aged(windowMs + 1), { places })).toEqual(['new 3']);
  });
});
