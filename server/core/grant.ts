import { type AdoptionVerdict, adoptionVerdict, type SeatCount, seatsFree, type UncertaintyPolicy } from './adoption';
import { type Lease, type LeaseClaim, standingOf } from './lease';

/** A pool as read under its row lock. */
export interface PoolCount extends SeatCount {
  readonly id: number;
  readonly grantSeq: number;
  readonly leaseTtlMs: number;
}

/** `adopt` never sells a seat: it only takes over what the claim proves (a heartbeat of an unknown lease). */
export interface GrantRequest {
  readonly intent: 'checkout' | 'adopt';
  readonly leaseId: string;
  readonly holder: string;
  readonly seats: number;
  readonly claim?: LeaseClaim;
}

export type GrantVerdict =
  | { readonly kind: 'granted'; readonly lease: Lease; readonly how: 'new' | 'again' | 'adopted' }
  | { readonly kind: 'no_seat_available'; readonly seats: number; readonly seatsFree: number }
  | { readonly kind: 'lease_conflict' }
  | { readonly kind: 'lease_expired' }
  | { readonly kind: 'lease_released' }
  | { readonly kind: 'lease_not_found' };

export interface GrantBatch {
  readonly pool: PoolCount;
  readonly epoch: number;
  /** The database's clock, read after the row lock was taken. */
  readonly nowMs: number;
  readonly known: ReadonlyMap<string, Lease>;
  readonly requests: readonly GrantRequest[];
  readonly policy: UncertaintyPolicy;
}

export interface GrantDecision {
  /** In the order of the requests. */
  readonly verdicts: readonly GrantVerdict[];
  readonly inserted: readonly Lease[];
  /** The pool after the inserts. `seatsTaken` is what the database's own count must arrive at. */
  readonly pool: PoolCount;
}

/**
 * Decides requests for one pool together, in the order of their arrival (S1). The same lease asked for twice in one
 * batch is one lease.
 */
export function decideGrants(batch: GrantBatch): GrantDecision {
  const known = new Map(batch.known);
  const verdicts: GrantVerdict[] = [];
  const inserted: Lease[] = [];
  let pool = batch.pool;

  for (const request of batch.requests) {
    const lease = known.get(request.leaseId);
    const decided = lease
      ? { verdict: verdictOnKnown(lease, request, batch), pool }
      : decideUnknown(pool, request, batch);
    verdicts.push(decided.verdict);
    pool = decided.pool;
    if (decided.verdict.kind === 'granted' && decided.verdict.how !== 'again') {
      known.set(request.leaseId, decided.verdict.lease);
      inserted.push(decided.verdict.lease);
    }
  }
  return { verdicts, inserted, pool };
}

function verdictOnKnown(lease: Lease, request: GrantRequest, batch: GrantBatch): GrantVerdict {
  const standing = standingOf(lease, batch.nowMs);
  if (standing !== 'live') return { kind: standing };
  const same = lease.poolId === batch.pool.id && lease.seats === request.seats && lease.holder === request.holder;
  return same ? { kind: 'granted', lease, how: 'again' } : { kind: 'lease_conflict' };
}

interface Decided {
  readonly verdict: GrantVerdict;
  readonly pool: PoolCount;
}

function decideUnknown(pool: PoolCount, request: GrantRequest, batch: GrantBatch): Decided {
  if (request.claim) {
    const { claim } = request;
    const adoption = adoptionVerdict({ ...batch, claim, count: pool, leaseTtlMs: pool.leaseTtlMs });
    if (adoption.kind === 'adopt') {
      const lease = newLease(pool, { ...request, seats: claim.seats, holder: claim.holder }, batch);
      return {
        verdict: { kind: 'granted', lease, how: 'adopted' },
        pool: { ...pool, ...adoption.count, grantSeq: lease.seq },
      };
    }
    if (request.intent === 'adopt') return { verdict: refusedAdoption(adoption.because), pool };
  }
  if (request.intent === 'adopt') return { verdict: { kind: 'lease_not_found' }, pool };

  const free = seatsFree(pool);
  if (request.seats > free) return { verdict: { kind: 'no_seat_available', seats: pool.seats, seatsFree: free }, pool };
  const lease = newLease(pool, request, batch);
  return {
    verdict: { kind: 'granted', lease, how: 'new' },
    pool: { ...pool, seatsTaken: pool.seatsTaken + request.seats, grantSeq: lease.seq },
  };
}

type RefusalReason = Extract<AdoptionVerdict, { kind: 'refuse' }>['because'];

/** To its holder a lease that cannot be adopted any more has expired; one of this epoch was never granted. */
function refusedAdoption(because: RefusalReason): GrantVerdict {
  switch (because) {
    case 'token_of_this_epoch':
      return { kind: 'lease_not_found' };
    case 'token_too_old':
    case 'no_seat_available':
      return { kind: 'lease_expired' };
  }
}

function newLease(
  pool: PoolCount,
  request: Pick<GrantRequest, 'leaseId' | 'holder' | 'seats'>,
  batch: GrantBatch,
): Lease {
  return {
    id: request.leaseId,
    poolId: pool.id,
    holder: request.holder,
    seats: request.seats,
    seq: pool.grantSeq + request.seats,
    epoch: batch.epoch,
    expiresAtMs: batch.nowMs + pool.leaseTtlMs,
    state: 'live',
  };
}
