import { type AdoptionVerdict, adoptionVerdict, type SeatCount, seatsFree, type UncertaintyPolicy } from './adoption';
import { type Entitlement, type Requester, type TakingRefusal, takingRefusal } from './entitlement';
import { grantedUntilMs, type Lease, type LeaseClaim, standingOf } from './lease';

/** A pool as read under its row lock. */
export interface PoolCount extends SeatCount {
  readonly id: number;
  readonly grantSeq: number;
}

/** `adopt` never sells a seat: it only takes over what the claim proves (a heartbeat of an unknown lease). */
export interface GrantRequest extends Requester {
  readonly intent: 'checkout' | 'adopt';
  readonly leaseId: string;
  readonly holder: string;
  readonly seats: number;
  /** The name of the API token it is asked with. */
  readonly grantedBy: string;
  readonly claim?: LeaseClaim;
}

export type GrantVerdict =
  | { readonly kind: 'granted'; readonly lease: Lease; readonly how: 'new' | 'again' | 'adopted' }
  | { readonly kind: 'no_seat_available'; readonly seats: number; readonly seatsFree: number }
  | { readonly kind: 'lease_conflict' }
  | { readonly kind: 'lease_expired' }
  | { readonly kind: 'lease_released' }
  | { readonly kind: 'lease_not_found' }
  | TakingRefusal;

export interface GrantBatch {
  readonly pool: PoolCount;
  readonly entitlement: Entitlement;
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
  const foreign = request.controlRoom !== undefined && lease.controlRoom !== request.controlRoom;
  if (foreign) return { kind: request.intent === 'adopt' ? 'lease_not_found' : 'lease_conflict' };
  const standing = standingOf(lease, batch.nowMs);
  if (standing !== 'live') return { kind: standing };
  const same = lease.poolId === batch.pool.id && lease.seats === request.seats && lease.holder === request.holder;
  if (!same) return { kind: 'lease_conflict' };
  if (request.controlRoomState === 'suspended') return { kind: 'control_room_suspended' };
  return { kind: 'granted', lease, how: 'again' };
}

interface Decided {
  readonly verdict: GrantVerdict;
  readonly pool: PoolCount;
}

function decideUnknown(pool: PoolCount, request: GrantRequest, batch: GrantBatch): Decided {
  if (request.claim) {
    const { claim } = request;
    const { leaseTtlMs } = batch.entitlement;
    const refusal = refusedToAdopt(claim, request, batch);
    if (refusal) return { verdict: refusal, pool };
    const adoption = adoptionVerdict({ ...batch, claim, count: pool, leaseTtlMs });
    if (adoption.kind === 'adopt') {
      const { seats, holder, controlRoom } = claim;
      const lease = newLease(pool, { leaseId: request.leaseId, seats, holder, controlRoom }, batch);
      return {
        verdict: { kind: 'granted', lease, how: 'adopted' },
        pool: { ...pool, ...adoption.count, grantSeq: lease.seq },
      };
    }
    if (request.intent === 'adopt') return { verdict: refusedAdoption(adoption.because), pool };
  }
  if (request.intent === 'adopt') return { verdict: { kind: 'lease_not_found' }, pool };

  const refusal = takingRefusal(batch.entitlement, request, batch.nowMs);
  if (refusal) return { verdict: refusal, pool };
  const free = seatsFree(pool);
  if (request.seats > free) return { verdict: { kind: 'no_seat_available', seats: pool.seats, seatsFree: free }, pool };
  const lease = newLease(pool, request, batch);
  return {
    verdict: { kind: 'granted', lease, how: 'new' },
    pool: { ...pool, seatsTaken: pool.seatsTaken + request.seats, grantSeq: lease.seq },
  };
}

/** A Control Room takes over only what was its own; one that is suspended, nothing. */
function refusedToAdopt(
  claim: LeaseClaim,
  request: GrantRequest,
  { entitlement: { validFromMs, validUntilMs }, nowMs }: GrantBatch,
): GrantVerdict | undefined {
  if (request.controlRoom !== undefined && claim.controlRoom !== request.controlRoom) {
    return { kind: 'lease_not_found' };
  }
  if (nowMs >= validUntilMs) return { kind: 'license_not_valid', validFromMs, validUntilMs };
  return request.controlRoomState === 'suspended' ? { kind: 'control_room_suspended' } : undefined;
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
  request: Pick<GrantRequest, 'leaseId' | 'holder' | 'controlRoom' | 'seats'>,
  batch: GrantBatch,
): Lease {
  return {
    id: request.leaseId,
    poolId: pool.id,
    holder: request.holder,
    controlRoom: request.controlRoom,
    seats: request.seats,
    seq: pool.grantSeq + request.seats,
    epoch: batch.epoch,
    expiresAtMs: grantedUntilMs(batch.nowMs, batch.entitlement),
    state: 'live',
  };
}
