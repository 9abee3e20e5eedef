import type { LeaseClaim } from './lease';
import { capacityOf, type SeatCount, seatsFree } from './seats';

/** The two durations that, with a lease's own, make the time within which what a lost region said has lapsed (S4). */
export interface UncertaintyPolicy {
  readonly authorityLeaseMs: number;
  readonly skewMs: number;
}

/** The time within which everything that a lost region may have granted or renewed has lapsed (S4). */
export function uncertaintyWindowMs(leaseTtlMs: number, policy: UncertaintyPolicy): number {
  return leaseTtlMs + policy.authorityLeaseMs + policy.skewMs;
}

export type AdoptionVerdict =
  | { readonly kind: 'adopt'; readonly count: SeatCount }
  | { readonly kind: 'refuse'; readonly reason: 'token_of_this_epoch' | 'token_too_old' | 'no_seat_available' };

interface AdoptionFacts {
  readonly claim: LeaseClaim;
  readonly epoch: number;
  readonly nowMs: number;
  readonly leaseTtlMs: number;
  readonly count: SeatCount;
  readonly policy: UncertaintyPolicy;
  /** Undefined: nothing of the lost region is unknown. */
  readonly mustOutliveMs: number | undefined;
}

/**
 * May a lease that the database does not know be taken over from its token (S3)?
 *
 * Up to `seatsUnresolved` seats it always may, even when the pool is full: had every counted lease still been held,
 * the lost region could not have granted this one, so the release of a counted lease must have been lost. No seat
 * has been sold twice then, since all free seats were held back. `seatsOver` keeps that debt until it is released.
 * Beyond the awaited seats the promise of S2 no longer covers the grant, and it needs free seats as a new one does. So
 * does a token that ran out while the lost region could still decide: its seat may have been sold again there.
 *
 * What is awaited is waited for, however long ago the token ran out: between the loss of a region and the decision to
 * give it up may lie an hour. Beyond that, an old token proves nothing that somebody would still rely on.
 */
export function adoptionVerdict(facts: AdoptionFacts): AdoptionVerdict {
  const { claim, count } = facts;
  if (claim.epoch >= facts.epoch) return { kind: 'refuse', reason: 'token_of_this_epoch' };
  const isDoubted = facts.mustOutliveMs !== undefined && claim.expiresAtMs <= facts.mustOutliveMs;
  const seatsCovered = isDoubted ? 0 : Math.min(claim.seats, count.seatsUnresolved);
  const seatsBeyondUnresolved = claim.seats - seatsCovered;
  const isOld = claim.expiresAtMs + uncertaintyWindowMs(facts.leaseTtlMs, facts.policy) < facts.nowMs;
  if (seatsBeyondUnresolved > 0 && isOld) return { kind: 'refuse', reason: 'token_too_old' };
  if (seatsBeyondUnresolved > seatsFree(count)) return { kind: 'refuse', reason: 'no_seat_available' };

  const capacity = capacityOf(count);
  const seatsTaken = count.seatsTaken + claim.seats;
  const seatsUnresolved = count.seatsUnresolved - seatsCovered;
  return {
    kind: 'adopt',
    count: {
      ...count,
      seatsTaken,
      seatsUnresolved,
      seatsHeldBack: Math.min(seatsUnresolved, Math.max(0, capacity - seatsTaken)),
      seatsOver: Math.max(count.seatsOver, seatsTaken - capacity),
    },
  };
}
