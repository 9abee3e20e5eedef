import fc from 'fast-check';
import { poolOpening } from '../../../server/core/epoch-opening';
import { decideGrants, type GrantRequest, type PoolCount } from '../../../server/core/grant';

/**
 * A pool whose last grants and releases were lost with a region, told by two books: what holders truly hold, and what
 * the surviving database counts. The promise: true holders never exceed the seats, and nobody who holds a lease of
 * the lost part is turned away while the lost part is within the escrow.
 */
const SEATS = 6;
const NOW_MS = 1_000_000;
const POLICY = { authorityLeaseMs: 30_000, skewMs: 5_000 };
const TTL_MS = 60_000;

/** What a release does to the counts: the same as `pool_count_change` in the migrations. */
function released(pool: PoolCount, seats: number): PoolCount {
  const seatsTaken = pool.seatsTaken - seats;
  return {
    ...pool,
    seatsTaken,
    seatsOver: Math.min(pool.seatsOver, Math.max(0, seatsTaken - pool.seats)),
    seatsHeldBack: Math.min(pool.seatsAwaited, Math.max(0, pool.seats - seatsTaken)),
  };
}

function grant(pool: PoolCount, request: GrantRequest): { granted: boolean; pool: PoolCount } {
  const decision = decideGrants({
    pool,
    epoch: 2,
    nowMs: NOW_MS,
    known: new Map(),
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

function tell({ replicated, lost, after }: Story, { refillsHeldBack = true } = {}) {
  let trulyHeldReplicated = replicated;
  let lostHolders = 0;
  let lostReleases = 0;
  for (const isGrant of lost) {
    if (isGrant && trulyHeldReplicated + lostHolders < SEATS) lostHolders += 1;
    else if (!isGrant && trulyHeldReplicated > 0) {
      trulyHeldReplicated -= 1;
      lostReleases += 1;
    }
  }
  // S2 keeps the unknown grants within the escrow; here the escrow is just large enough.
  const opening = poolOpening(
    {
      id: 1,
      seats: SEATS,
      seatsTaken: replicated,
      escrow: lostHolders,
      leaseTtlMs: TTL_MS,
      seatsAwaited: 0,
      awaitedUntilMs: undefined,
    },
    { epoch: 1, region: 'oregon', closed: false },
    { nowMs: NOW_MS, policy: POLICY },
  );
  let pool: PoolCount = {
    id: 1,
    seats: SEATS,
    seatsTaken: replicated,
    seatsHeldBack: opening.seatsHeldBack,
    seatsAwaited: opening.seatsAwaited,
    seatsOver: 0,
    grantSeq: 0,
    leaseTtlMs: TTL_MS,
  };
  let [waitingToBeAdopted, sold, turnedAway, id, holdersMax] = [lostHolders, 0, 0, 0, 0];
  let adopted = 0;
  for (const what of after) {
    if (what === 'adopt' && waitingToBeAdopted > 0) {
      waitingToBeAdopted -= 1;
      const claim = {
        leaseId: `lost-${id}`,
        product: 'p',
        feature: 'f',
        holder: 'h',
        seats: 1,
        seq: 0,
        epoch: 1,
        expiresAtMs: NOW_MS,
      };
      const answer = grant(pool, { intent: 'adopt', leaseId: claim.leaseId, seats: 1, holder: 'h', claim });
      pool = answer.pool;
      if (answer.granted) adopted += 1;
      else turnedAway += 1;
    } else if (what === 'retry_release' && lostReleases > 0) {
      lostReleases -= 1;
      pool = refillsHeldBack ? released(pool, 1) : { ...released(pool, 1), seatsHeldBack: pool.seatsHeldBack };
    } else if (what === 'release' && trulyHeldReplicated > 0) {
      trulyHeldReplicated -= 1;
      pool = refillsHeldBack ? released(pool, 1) : { ...released(pool, 1), seatsHeldBack: pool.seatsHeldBack };
    } else if (what === 'sell') {
      const answer = grant(pool, { intent: 'checkout', leaseId: `new-${id}`, seats: 1, holder: 'h' });
      pool = answer.pool;
      if (answer.granted) sold += 1;
    }
    id += 1;
    holdersMax = Math.max(holdersMax, trulyHeldReplicated + waitingToBeAdopted + adopted + sold);
  }
  return { holdersMax, turnedAway };
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
  expect(tell(told, { refillsHeldBack: false }).holdersMax).toBe(SEATS + 1);
  expect(tell(told).holdersMax).toBe(SEATS);
});
