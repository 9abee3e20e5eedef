import {
  PLACE_TTL_MS,
  PLACES_MAX,
  type PlaceClaim,
  type Queue,
  type QueuePlace,
  recoveredPosition,
} from '../../queue/core/queue';
import { type AdoptionVerdict, adoptionVerdict, type UncertaintyPolicy } from './adoption';
import { type Entitlement, type Requester, type TakingRefusal, takingRefusal } from './entitlement';
import { type Protection, waitsForFollower } from './escrow';
import { grantedUntilMs, isProven, type Lease, type LeaseClaim, validityOf } from './lease';
import { type PoolCount, type PoolFacts, PoolLedger } from './pool-ledger';
import { isOverdrawn } from './seats';

/** `adopt` never sells a seat. It only adopts the lease that the claim proves (a heartbeat of an unknown lease). */
export interface GrantRequest extends Requester {
  readonly intent: 'checkout' | 'adopt';
  readonly leaseId: string;
  readonly holder: string;
  /** The stable name of the installation. Its live lease is returned instead of a second seat. */
  readonly identity: string | undefined;
  readonly seats: number;
  /** The name of the caller's API token. */
  readonly grantedBy: string;
  readonly claim?: LeaseClaim;
  /** Borrows the seats for offline use, for this long. */
  readonly borrowSeconds?: number;
  /** Waits in the queue when no seat is free. */
  readonly queue?: boolean;
  /** Its place in the queue before the loss of a region. */
  readonly placeClaim?: PlaceClaim;
}

export type GrantVerdict =
  | { readonly kind: 'granted'; readonly lease: Lease; readonly how: 'new' | 'again' | 'adopted' }
  /** `position` 1 comes next. */
  | { readonly kind: 'queued'; readonly place: QueuePlace; readonly position: number; readonly how: Queueing }
  | { readonly kind: 'queue_full'; readonly places: number }
  | { readonly kind: 'borrow_too_long'; readonly borrowSecondsMax: number }
  /** The answer would wait for a follower that does not stream (S2). */
  | { readonly kind: 'not_protected' }
  /** `seatsFree` are those that this requester could take. */
  | { readonly kind: 'no_seat_available'; readonly seats: number; readonly seatsFree: number }
  | { readonly kind: 'lease_conflict' }
  | { readonly kind: 'lease_expired' }
  | { readonly kind: 'lease_released' }
  | { readonly kind: 'lease_not_found' }
  | TakingRefusal;

/** `taken_up`: restored under the number that it had in a lost region. */
export type Queueing = 'new' | 'again' | 'taken_up';

export interface GrantBatch extends PoolFacts {
  readonly entitlement: Entitlement;
  readonly epoch: number;
  /** The database's clock, read after the row lock was taken. */
  readonly nowMs: number;
  /** Leases that may have ended in a lost region before this moment are in doubt (S4). */
  readonly mustOutliveMs: number | undefined;
  readonly requests: readonly GrantRequest[];
  readonly protection: Protection;
  readonly policy: UncertaintyPolicy;
}

export interface GrantDecision {
  /** In the order of the requests. */
  readonly verdicts: readonly GrantVerdict[];
  readonly inserted: readonly Lease[];
  /** Leases with a new handover number. */
  readonly handedOver: readonly Lease[];
  /** The pool after the inserts. The database's own count must equal `seatsTaken`. */
  readonly pool: PoolCount;
  readonly queue: Queue['changes'];
}

/**
 * Decides the requests for one pool as a batch, in the order of their arrival (S1). Two requests with the same lease id
 * yield one lease.
 */
export function decideGrants(batch: GrantBatch): GrantDecision {
  const ledger = new PoolLedger(batch);
  const verdicts = batch.requests.map((request) => verdictOn(request, ledger, batch));
  const { inserted, handedOver } = ledger;
  return { verdicts, inserted, handedOver, pool: ledger.pool, queue: ledger.queue.changes };
}

function verdictOn(request: GrantRequest, ledger: PoolLedger, batch: GrantBatch): GrantVerdict {
  const lease = ledger.lease(request.leaseId);
  // A repeated request keeps the handover of its token: it is not the newest checkout of the installation.
  if (lease) return verdictOnKnown({ ...lease, handover: request.claim?.handover ?? 0 }, request, batch);
  const sameInstallation = leaseOfInstallation(request, ledger, batch);
  if (sameInstallation) return handOver(sameInstallation, request, ledger, batch);
  return verdictOnUnknown(request, ledger, batch);
}

/** The earlier process of the installation may still run: its release must not end the lease of this request. */
function handOver(lease: Lease, request: GrantRequest, ledger: PoolLedger, batch: GrantBatch): GrantVerdict {
  const verdict = verdictOnKnown(lease, { ...request, holder: lease.holder }, batch);
  return verdict.kind === 'granted' ? { ...verdict, lease: ledger.handOver(lease) } : verdict;
}

/**
 * The lease that this installation already holds, so that a restart without the lease id takes no second seat. While
 * grants of a lost region may be unknown, only leases that this epoch confirmed are returned: the release of another
 * lease may have been lost with that region, and its seat sold again there (S4).
 */
function leaseOfInstallation(
  { intent, identity, controlRoom, seats, borrowSeconds, claim }: GrantRequest,
  ledger: PoolLedger,
  { nowMs, epoch, mustOutliveMs }: GrantBatch,
): Lease | undefined {
  if (intent !== 'checkout' || identity === undefined) return undefined;
  return ledger.findLease(
    (lease) =>
      lease.identity === identity &&
      lease.controlRoom === controlRoom &&
      lease.seats === seats &&
      lease.borrowed === (borrowSeconds !== undefined) &&
      validityOf(lease, nowMs) === 'live' &&
      (mustOutliveMs === undefined || lease.epoch === epoch) &&
      isProven(lease, claim?.expiresAtMs),
  );
}

function verdictOnKnown(lease: Lease, request: GrantRequest, batch: GrantBatch): GrantVerdict {
  const foreign = request.controlRoom !== undefined && lease.controlRoom !== request.controlRoom;
  if (foreign) return { kind: request.intent === 'adopt' ? 'lease_not_found' : 'lease_conflict' };
  const validity = validityOf(lease, batch.nowMs);
  if (validity !== 'live') return { kind: validity };
  if (!isProven(lease, request.claim?.expiresAtMs)) return { kind: 'lease_expired' };
  if (!isSameRequest(lease, request, batch)) return { kind: 'lease_conflict' };
  if (request.controlRoomState === 'suspended') return { kind: 'control_room_suspended' };
  return { kind: 'granted', lease, how: 'again' };
}

function isSameRequest(lease: Lease, request: GrantRequest, { pool }: GrantBatch): boolean {
  const { intent, seats, holder, borrowSeconds } = request;
  const sameEnd = intent === 'adopt' || lease.borrowed === (borrowSeconds !== undefined);
  return lease.poolId === pool.id && lease.seats === seats && lease.holder === holder && sameEnd;
}

function verdictOnUnknown(request: GrantRequest, ledger: PoolLedger, batch: GrantBatch): GrantVerdict {
  const taken = request.claim ? takeOver(request.claim, request, ledger, batch) : undefined;
  if (taken) return taken;
  if (request.intent === 'adopt') return { kind: 'lease_not_found' };
  const { borrowSecondsMax } = batch.entitlement;
  const refusal = takingRefusal(batch.entitlement, request, batch.nowMs);
  if (refusal) return refusal;
  if ((request.borrowSeconds ?? 0) > borrowSecondsMax) return { kind: 'borrow_too_long', borrowSecondsMax };
  return takeSeats(request, ledger, batch);
}

/** Undefined when the claim no longer proves a lease; a checkout may then take a new seat. */
function takeOver(
  claim: LeaseClaim,
  request: GrantRequest,
  ledger: PoolLedger,
  batch: GrantBatch,
): GrantVerdict | undefined {
  const refusal = refusedToAdopt(claim, request, batch);
  if (refusal) return refusal;
  const { leaseTtlMs } = batch.entitlement;
  const adoption = adoptionVerdict({ ...batch, claim, count: ledger.pool, leaseTtlMs });
  if (adoption.kind === 'refuse') return request.intent === 'adopt' ? refusedAdoption(adoption.reason) : undefined;
  const taken = newLease({ ...claim, leaseId: request.leaseId }, ledger, batch);
  const { validUntilMs } = batch.entitlement;
  const lease = claim.borrowed
    ? { ...taken, borrowed: true, expiresAtMs: Math.min(claim.expiresAtMs, validUntilMs) }
    : taken;
  ledger.apply(lease, adoption.count);
  // The lost region granted the seats that this queue place waits for.
  const place = ledger.queue.find(({ leaseId }) => leaseId === request.leaseId);
  if (place) ledger.queue.leave(place);
  return { kind: 'granted', lease, how: 'adopted' };
}

function takeSeats(request: GrantRequest, ledger: PoolLedger, batch: GrantBatch): GrantVerdict {
  const { pool, queue } = ledger;
  const place = placeOf(request, queue);
  if (place && !maySpeakFor(place, request)) return { kind: 'lease_conflict' };
  // The lease is the one that was waited for: under the place's id, and its Control Room's.
  const asked = place ? { ...request, leaseId: place.leaseId, controlRoom: place.controlRoom } : request;
  const open = ledger.available(ledger.roomOf(asked.controlRoom), queue.aheadOf(place));
  if (asked.seats > open) {
    const waiting = asked.queue ? wait(asked, place, ledger, batch) : undefined;
    return waiting ?? { kind: 'no_seat_available', seats: pool.seats, seatsFree: open };
  }
  const count = { ...pool, seatsTaken: pool.seatsTaken + asked.seats };
  const lease = { ...newLease(asked, ledger, batch), ...borrowTerm(asked, batch), overdraft: isOverdrawn(count) };
  if (batch.protection !== 'followed' && waitsForFollower(lease, { ...batch, ...pool })) {
    if (place) queue.renew(place, batch.nowMs);
    return { kind: 'not_protected' };
  }
  if (place) queue.leave(place);
  ledger.apply(lease, count);
  return { kind: 'granted', lease, how: 'new' };
}

/** The term of a borrowed lease, limited by the end of its license. */
function borrowTerm({ borrowSeconds }: GrantRequest, { nowMs, entitlement }: GrantBatch): Partial<Lease> {
  if (borrowSeconds === undefined) return {};
  return { borrowed: true, expiresAtMs: Math.min(nowMs + borrowSeconds * 1000, entitlement.validUntilMs) };
}

function placeOf({ leaseId, identity, controlRoom, seats }: GrantRequest, queue: Queue): QueuePlace | undefined {
  const own = queue.find((place) => place.leaseId === leaseId);
  if (own || identity === undefined) return own;
  return queue.find(
    (place) => place.identity === identity && place.controlRoom === controlRoom && place.seats === seats,
  );
}

/** Whether the request is for the seats and the Control Room of the place. */
function maySpeakFor(place: QueuePlace, { seats, controlRoom }: GrantRequest): boolean {
  return place.seats === seats && (controlRoom === undefined || place.controlRoom === controlRoom);
}

/** Undefined when waiting is pointless, because this Control Room may never take so many seats. */
function wait(
  request: GrantRequest,
  place: QueuePlace | undefined,
  ledger: PoolLedger,
  batch: GrantBatch,
): GrantVerdict | undefined {
  const { queue } = ledger;
  const room = ledger.roomOf(request.controlRoom);
  if (request.seats > ledger.availableAtMost(room)) return undefined;
  if (place) return queued(queue.renew(place, batch.nowMs), 'again', queue);
  if (queue.isFull) return { kind: 'queue_full', places: PLACES_MAX };
  const { leaseId, seats, holder, identity, grantedBy } = request;
  const wish = { leaseId, seats, holder, identity, requestedBy: grantedBy, ...room };
  const number = recoveredPosition(request.placeClaim, batch);
  const joined = queue.join({ ...wish, expiresAtMs: batch.nowMs + PLACE_TTL_MS }, number);
  return queued(joined, number === undefined ? 'new' : 'taken_up', queue);
}

function queued(place: QueuePlace, how: Queueing, queue: Queue): GrantVerdict {
  return { kind: 'queued', place, position: queue.aheadOf(place).length + 1, how };
}

/** A Control Room may adopt only its own leases, and none while it is suspended. */
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

type RefusalReason = Extract<AdoptionVerdict, { kind: 'refuse' }>['reason'];

/** For its holder, a lease that can no longer be adopted has expired. A claim of this epoch was never granted. */
function refusedAdoption(reason: RefusalReason): GrantVerdict {
  switch (reason) {
    case 'token_of_this_epoch':
      return { kind: 'lease_not_found' };
    case 'token_too_old':
    case 'no_seat_available':
      return { kind: 'lease_expired' };
  }
}

function newLease(
  request: Pick<GrantRequest, 'leaseId' | 'holder' | 'controlRoom' | 'identity' | 'seats'> & Pick<Lease, 'handover'>,
  { pool }: PoolLedger,
  batch: GrantBatch,
): Lease {
  return {
    id: request.leaseId,
    poolId: pool.id,
    holder: request.holder,
    controlRoom: request.controlRoom,
    identity: request.identity,
    seats: request.seats,
    overdraft: false,
    borrowed: false,
    seq: pool.grantSeq + request.seats,
    epoch: batch.epoch,
    expiresAtMs: grantedUntilMs(batch.nowMs, batch.entitlement),
    state: 'live',
    handover: request.handover ?? 0,
  };
}
