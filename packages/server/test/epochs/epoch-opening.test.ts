import {
  type EarlierEpochs,
  extendedUntilMs,
  lastAckDeadlineMs,
  type OpeningPool,
  type PossibleLoss,
  poolOpening,
  possibleLossAt,
} from '../../src/epochs/core/epoch-opening';
import { NUMBERS_RESERVED_FOR_LOST_PLACES, PLACE_TTL_MS } from '../../src/queue/core/queue';

const NOW_MS = 1_000_000;
const POLICY = { authorityLeaseMs: 30_000, skewMs: 5_000 };
const WINDOW_MS = 600_000 + 30_000 + 5_000;
const POOL: OpeningPool = {
  id: 1,
  seats: 10,
  overdraft: 0,
  seatsTaken: 4,
  escrow: 3,
  leaseTtlMs: 600_000,
  validUntilMs: Number.POSITIVE_INFINITY,
  seatsUnresolved: 0,
  unresolvedUntilMs: undefined,
};

function open(pool: Partial<OpeningPool>, possibleLoss: PossibleLoss = 'escrow') {
  return poolOpening({ ...POOL, ...pool }, possibleLoss, { nowMs: NOW_MS, policy: POLICY });
}

it('holds back the escrow and extends leases over everything a lost heartbeat may have renewed', () => {
  expect(open({})).toEqual({
    poolId: 1,
    seatsUnresolved: 3,
    seatsHeldBack: 3,
    unresolvedUntilMs: NOW_MS + WINDOW_MS,
    leasesUntilMs: NOW_MS + WINDOW_MS,
    leasesExtendedByMs: 5_000,
    placesUntilMs: NOW_MS + PLACE_TTL_MS + 35_000,
    numbersReserved: NUMBERS_RESERVED_FOR_LOST_PLACES,
  });
});

it('extends no lease beyond the end of its license: no lost heartbeat can have', () => {
  expect(open({ validUntilMs: NOW_MS + 7 })).toMatchObject({ leasesUntilMs: NOW_MS + 7 });
});

it('holds back no more than is free, and still awaits the whole escrow', () => {
  expect(open({ seatsTaken: 9 })).toMatchObject({ seatsHeldBack: 1, seatsUnresolved: 3 });
});

it('holds nothing back in a pool that counts seats twice already', () => {
  expect(open({ seatsTaken: 11 })).toMatchObject({ seatsHeldBack: 0, seatsUnresolved: 3 });
});

it('owes nothing when nothing can be missing', () => {
  expect(open({}, 'nothing')).toMatchObject({
    seatsHeldBack: 0,
    seatsUnresolved: 0,
    unresolvedUntilMs: undefined,
    numbersReserved: 0,
  });
});

it('holds back every free seat when anything can be missing, and awaits as many as there are', () => {
  expect(open({ overdraft: 2 }, 'anything')).toMatchObject({ seatsHeldBack: 8, seatsUnresolved: 12 });
  expect(open({ escrow: 0 }, 'anything')).toMatchObject({ seatsHeldBack: 6, unresolvedUntilMs: NOW_MS + WINDOW_MS });
});

it('goes on awaiting what an earlier opening awaits', () => {
  const earlier = { seatsUnresolved: 2, unresolvedUntilMs: NOW_MS + 1 };
  expect(open(earlier)).toMatchObject({ seatsUnresolved: 5, seatsHeldBack: 5, unresolvedUntilMs: NOW_MS + WINDOW_MS });
  expect(open(earlier, 'nothing')).toMatchObject({ seatsUnresolved: 2, unresolvedUntilMs: NOW_MS + 1 });
  expect(open({ ...earlier, unresolvedUntilMs: NOW_MS })).toMatchObject({ seatsUnresolved: 3 });
});

describe('a lease that the opening finds', () => {
  it('lasts as long as a lost heartbeat may have made it last', () => {
    expect(extendedUntilMs(NOW_MS + 60_000, open({}))).toBe(NOW_MS + WINDOW_MS);
  });

  it('lasts the skew longer where its end is later, for its holder counts by another clock', () => {
    const borrowedUntilMs = NOW_MS + 900_000;
    expect(extendedUntilMs(borrowedUntilMs, open({}))).toBe(borrowedUntilMs + 5_000);
    // Its holder may have received the new end, and the next opening is by another clock again.
    expect(extendedUntilMs(borrowedUntilMs + 5_000, open({}, 'nothing'))).toBe(borrowedUntilMs + 10_000);
  });

  it('lasts the skew longer than its license when it ended with it, because the license may be reissued', () => {
    const validUntilMs = NOW_MS + 60_000;
    expect(extendedUntilMs(validUntilMs, open({ validUntilMs }))).toBe(validUntilMs + 5_000);
  });
});

describe('the last word of the lost region', () => {
  const at = { lapsedAtMs: NOW_MS - 90_000, policy: POLICY };

  it('is derived from the record in the authority store, with the skew of two clocks', () => {
    expect(lastAckDeadlineMs('escrow', { mustOutliveMs: undefined }, at)).toBe(NOW_MS - 85_000);
  });

  it('is nothing to ask for when nothing was before, or all of it is here', () => {
    expect(lastAckDeadlineMs('nothing', undefined, at)).toBeUndefined();
    expect(lastAckDeadlineMs('nothing', { mustOutliveMs: undefined }, at)).toBeUndefined();
  });

  it('stays what an earlier opening made it, across a switchover that loses nothing', () => {
    expect(lastAckDeadlineMs('nothing', { mustOutliveMs: 7 }, at)).toBe(7);
  });
});

describe('what a database may lack', () => {
  const closed = (epoch: number) => ({ epoch, closed: true });
  const open1 = { epoch: 1, closed: false };
  const recorded = (epoch: number) => ({ epoch, since: 'then' });

  it.each<[string, number, EarlierEpochs, PossibleLoss]>([
    ['the very first epoch', 1, { opened: undefined, newest: undefined, unprotected: undefined }, 'nothing'],
    ['an epoch whose end it has not seen', 2, { opened: open1, newest: 1, unprotected: undefined }, 'escrow'],
    ['an epoch that was closed here', 2, { opened: closed(1), newest: 1, unprotected: undefined }, 'nothing'],
    ['one closed here and one never opened', 3, { opened: closed(1), newest: 2, unprotected: undefined }, 'nothing'],
    ['an epoch of which it knows nothing', 3, { opened: closed(1), newest: 1, unprotected: undefined }, 'escrow'],
    ['everything before the present', 4, { opened: undefined, newest: undefined, unprotected: undefined }, 'escrow'],
    ['unprotected grants of an open epoch', 2, { opened: open1, newest: 1, unprotected: recorded(1) }, 'anything'],
    [
      'unprotected grants of one it does not know',
      3,
      { opened: open1, newest: 1, unprotected: recorded(2) },
      'anything',
    ],
    [
      'unprotected grants up to a closing here',
      2,
      { opened: closed(1), newest: 1, unprotected: recorded(1) },
      'nothing',
    ],
    ['unprotected grants long before', 4, { opened: closed(3), newest: 3, unprotected: recorded(1) }, 'nothing'],
    [
      'unprotected grants before the last loss',
      4,
      { opened: { epoch: 3, closed: false }, newest: 3, unprotected: recorded(2) },
      'escrow',
    ],
  ])('%s', (_what, epoch, before, possibleLoss) => {
    expect(possibleLossAt(epoch, before)).toBe(possibleLoss);
  });
});
