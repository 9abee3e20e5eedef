import { ANYONE, ENTITLEMENT } from '@evergrant/test-support/server/core-facts';
import fc from 'fast-check';
import { poolOpening } from '../../src/epochs/core/epoch-opening';
import { decideGrants, type GrantRequest } from '../../src/granting/core/grant';
import { NOTHING_RESERVED, type PoolCount } from '../../src/granting/core/pool-ledger';

/**
 * A pool whose last grants and releases were lost with a region, told by two ledger: what holders truly hold, and what
 * the surviving database counts. The promise: true holders never exceed the seats, and nobody who holds a lease of
 * the lost part is turned away while the lost part is within the escrow.
 */
const SEATS = 6;
const NOW_MS = 1_000_000;
const POLICY = { authorityLeaseMs: 30_000, skewMs: 5_000 };
const TTL_MS = 60_000;

/** What a release does to the counts: the same as `pool_count_change` in the migrations. */
function released(pool: PoolCount): PoolCount {
  const seatsTaken = pool.seatsTaken - 1;
  return {
    ...pool,
    seatsTaken,
    seatsOver: Math.min(pool.seatsOver, Math.max(0, seatsTaken - pool.seats)),
    seatsHeldBack: Math.min(pool.seatsUnresolved, Math.max(0, pool.seats - seatsTaken)),
  };
}

function grant(pool: PoolCount, request: GrantRequest): { granted: boolean; pool: PoolCount } {
  const decision = decideGrants({
    pool,
    entitlement: { ...ENTITLEMENT, leaseTtlMs: TTL_MS },
    epoch: 2,
    nowMs: NOW_MS,
    mustOutliveMs: undefined,
    known: [],
    reserved: NOTHING_RESERVED,
    places: [],
    protection: 'followed',
    requests: [request],
    policy: POLICY,
  });
  return { granted: decision.verdicts[0]?.kind === 'granted', pool: decision.pool };
}

interface Story {
  /** Leases of one seat that the follower has. */
  replicated: number;
  /** Of the lost part: grants (true) and releases of a replicated lease (false), in order. */
  lost: boolean[];
  /** After the opening: adopt, retry the release of a lease released in the lost part, release a held one, sell. */
  after: ('adopt' | 'retry_release' | 'release' | 'sell')[];
}

const story: fc.Arbitrary<Story> = fc.record({
  replicated: fc.integer({ min: 0, max: SEATS }),
  lost: fc.array(fc.boolean(), { maxLength: 8 }),
  after: fc.array(fc.constantFrom('adopt', 'retry_release', 'release', 'sell'), { maxLength: 24 }),
});

interface Books {
  pool: PoolCount;
  trulyHeldReplicated: number;
  lostReleases: number;
  waitingToBeAdopted: number;
  adopted: number;
  sold: number;
  turnedAway: number;
}

/** What happened in the part that was lost: who held what in truth when the region died. */
function lose({ replicated, lost }: Story): Pick<Books, 'trulyHeldReplicated' | 'lostReleases' | 'waitingToBeAdopted'> {
  const truth = { trulyHeldReplicated: replicated, lostReleases: 0, waitingToBeAdopted: 0 };
  for (const isGrant of lost) {
    if (isGrant && truth.trulyHeldReplicated + truth.waitingToBeAdopted < SEATS) truth.waitingToBeAdopted += 1;
    else if (!isGrant && truth.trulyHeldReplicated > 0) {
      truth.trulyHeldReplicated -= 1;
      truth.lostReleases += 1;
    }
  }
  return truth;
}

function opened(told: Story): Books {
  const truth = lose(told);
  const count = { id: 1, seats: SEATS, overdraft: 0, seatsTaken: told.replicated };
  const { seatsHeldBack, seatsUnresolved } = poolOpening(
    // S2 keeps the unknown grants within the escrow; here the escrow is just large enough.
    {
      ...count,
      leaseTtlMs: TTL_MS,
      validUntilMs: Number.POSITIVE_INFINITY,
      escrow: truth.waitingToBeAdopted,
      seatsUnresolved: 0,
      unresolvedUntilMs: undefined,
    },
    'escrow',
    { nowMs: NOW_MS, policy: POLICY },
  );
  const pool = {
    ...count,
    seatsHeldBack,
    seatsUnresolved,
    seatsOver: 0,
    grantSeq: 0,
    ackedSeq: 0,
    escrow: SEATS,
    queueSeq: 0,
  };
  return { ...truth, pool, adopted: 0, sold: 0, turnedAway: 0 };
}

type Event = Story['after'][number];
type Release = (pool: PoolCount) => PoolCount;

const EVENTS: Record<Event, (ledger: Books, id: string, release: Release) => void> = {
  adopt: (ledger, id) => {
    if (ledger.waitingToBeAdopted === 0) return;
    ledger.waitingToBeAdopted -= 1;
    const claim = {
      leaseId: id,
      licenseId: 'lic-1',
      product: 'p',
      feature: 'f',
      holder: 'h',
      controlRoom: undefined,
      identity: undefined,
      borrowed: false,
      seats: 1,
      seq: 0,
      epoch: 1,
      expiresAtMs: NOW_MS,
    };
    const answer = grant(ledger.pool, { ...ANYONE, intent: 'adopt', leaseId: id, seats: 1, holder: 'h', claim });
    ledger.pool = answer.pool;
    ledger[answer.granted ? 'adopted' : 'turnedAway'] += 1;
  },
  retry_release: (ledger, _id, release) => {
    if (ledger.lostReleases === 0) return;
    ledger.lostReleases -= 1;
    ledger.pool = release(ledger.pool);
  },
  release: (ledger, _id, release) => {
    if (ledger.trulyHeldReplicated === 0) return;
    ledger.trulyHeldReplicated -= 1;
    ledger.pool = release(ledger.pool);
  },
  sell: (ledger, id) => {
    const answer = grant(ledger.pool, { ...ANYONE, intent: 'checkout', leaseId: id, seats: 1, holder: 'h' });
    ledger.pool = answer.pool;
    if (answer.granted) ledger.sold += 1;
  },
};

function tell(told: Story, release: Release = released): { holdersMax: number; turnedAway: number } {
  const ledger = opened(told);
  let holdersMax = 0;
  told.after.forEach((event, index) => {
    EVENTS[event](ledger, `lease-${index}`, release);
    holdersMax = Math.max(
      holdersMax,
      ledger.trulyHeldReplicated + ledger.waitingToBeAdopted + ledger.adopted + ledger.sold,
    );
  });
  return { holdersMax, turnedAway: ledger.turnedAway };
}

it('never exceeds the seats and turns no holder away, whatever was lost', () => {
  fc.assert(
    fc.property(story, (told) => {
      const { holdersMax, turnedAway } = tell(told);
      expect(holdersMax).toBeLessThanOrEqual(SEATS);
      expect(turnedAway).toBe(0);
    }),
    { numRuns: 2_000 },
  );
});

it('would oversell if a seat that comes free did not refill what is held back', () => {
  // Full pool; A released and B granted in the lost part; A's release is retried, its seat sold, then B comes.
  const told: Story = { replicated: SEATS, lost: [false, true], after: ['retry_release', 'sell', 'adopt'] };
  const withoutRefill: Release = (pool) => ({ ...released(pool), seatsHeldBack: pool.seatsHeldBack });
  expect(tell(told, withoutRefill).holdersMax).toBe(SEATS + 1);
  expect(tell(told).holdersMax).toBe(SEATS);
});
