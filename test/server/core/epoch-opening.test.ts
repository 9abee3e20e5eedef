import { lastWordMs, type OpeningPool, poolOpening } from '../../../server/core/epoch-opening';
import { NUMBERS_LEFT_TO_LOST_PLACES, PLACE_TTL_MS } from '../../../server/core/queue';
import type { EpochRow } from '../../../server/core/role';

const NOW_MS = 1_000_000;
const POLICY = { authorityLeaseMs: 30_000, skewMs: 5_000 };
const WINDOW_MS = 600_000 + 30_000 + 5_000;
const PREVIOUS: EpochRow = { epoch: 1, region: 'oregon', closed: false };
const POOL: OpeningPool = {
  id: 1,
  seats: 10,
  overdraft: 0,
  seatsTaken: 4,
  escrow: 3,
  leaseTtlMs: 600_000,
  validUntilMs: Number.POSITIVE_INFINITY,
  seatsAwaited: 0,
  awaitedUntilMs: undefined,
};

function open(pool: Partial<OpeningPool>, previous: EpochRow | undefined = PREVIOUS) {
  return poolOpening({ ...POOL, ...pool }, previous, { nowMs: NOW_MS, policy: POLICY });
}

it('holds back the escrow and extends leases over everything a lost heartbeat may have renewed', () => {
  expect(open({})).toEqual({
    poolId: 1,
    seatsAwaited: 3,
    seatsHeldBack: 3,
    awaitedUntilMs: NOW_MS + WINDOW_MS,
    leasesUntilMs: NOW_MS + WINDOW_MS,
    placesUntilMs: NOW_MS + PLACE_TTL_MS + 35_000,
    numbersLeft: NUMBERS_LEFT_TO_LOST_PLACES,
  });
});

it('extends no lease beyond the end of its license: no lost heartbeat can have', () => {
  expect(open({ validUntilMs: NOW_MS + 7 })).toMatchObject({ leasesUntilMs: NOW_MS + 7 });
});

it('holds back no more than is free, and still awaits the whole escrow', () => {
  expect(open({ seatsTaken: 9 })).toMatchObject({ seatsHeldBack: 1, seatsAwaited: 3 });
});

it('holds nothing back in a pool that counts seats twice already', () => {
  expect(open({ seatsTaken: 11 })).toMatchObject({ seatsHeldBack: 0, seatsAwaited: 3 });
});

it('owes nothing after an epoch that was closed in this database', () => {
  expect(open({}, { ...PREVIOUS, closed: true })).toMatchObject({
    seatsHeldBack: 0,
    seatsAwaited: 0,
    awaitedUntilMs: undefined,
    numbersLeft: 0,
  });
});

it('owes nothing when there was no epoch before', () => {
  expect(poolOpening(POOL, undefined, { nowMs: NOW_MS, policy: POLICY })).toMatchObject({
    seatsHeldBack: 0,
    seatsAwaited: 0,
  });
});

it('goes on awaiting what an earlier opening awaits', () => {
  const earlier = { seatsAwaited: 2, awaitedUntilMs: NOW_MS + 1 };
  expect(open(earlier)).toMatchObject({ seatsAwaited: 5, seatsHeldBack: 5, awaitedUntilMs: NOW_MS + WINDOW_MS });
  expect(open(earlier, { ...PREVIOUS, closed: true })).toMatchObject({ seatsAwaited: 2, awaitedUntilMs: NOW_MS + 1 });
  expect(open({ ...earlier, awaitedUntilMs: NOW_MS })).toMatchObject({ seatsAwaited: 3 });
});

describe('the last word of the lost region', () => {
  const at = { nowMs: NOW_MS, lapsedAgoMs: 90_000, policy: POLICY };

  it('is told by the authority store, and judged with the skew of two clocks', () => {
    expect(lastWordMs({ ...PREVIOUS, mustOutliveMs: undefined }, at)).toBe(NOW_MS - 85_000);
  });

  it('is nothing to ask for when nothing was before, or all of it is here', () => {
    expect(lastWordMs(undefined, at)).toBeUndefined();
    expect(lastWordMs({ ...PREVIOUS, closed: true, mustOutliveMs: undefined }, at)).toBeUndefined();
  });

  it('stays what an earlier opening made it, over a hand-over that loses nothing', () => {
    expect(lastWordMs({ ...PREVIOUS, closed: true, mustOutliveMs: 7 }, at)).toBe(7);
  });
});
