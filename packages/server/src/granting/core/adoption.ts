import type { LeaseClaim } from './lease';
import { capacityOf, type SeatCount, seatsFree } from './seats';

/** The durations that, with a lease's TTL, bound how long grants of a lost region stay valid (S4). */
export interface UncertaintyPolicy {
  readonly authorityLeaseMs: number;
  readonly skewMs: number;
}

/** The time after which every lease that a lost region may have granted or renewed has expired (S4). */
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
  /** Undefined when no grant of the lost region is unknown. */
  readonly mustOutliveMs: number | undefined;
}

/**
 * Decides whether a lease that the database does not know may be adopted from its token (S3).
 *
 * Up to `seatsUnresolved` seats, adoption is always allowed, even when the pool is full. If every counted lease were
 * still held, the lost region could not have granted this one, so the release of a counted lease was lost. No seat is
 * sold twice, because all free seats were held back. `seatsOver` records the seats counted twice until their release.
 * Beyond the unresolved seats, S2 does not cover the grant, and the lease needs free seats like a new one. The same
 * applies to a token that expired while the lost region could still decide: its seat may have been sold again there.
 *
 * Unresolved seats accept tokens of any age, because an hour may pass between the loss of a region and the failover.
 * Beyond them, an old token is refused: its holder no longer relies on it.
 */
export function adoptionVerdict(facts: AdoptionFacts): AdoptionVerdict {
  const { claim, count } = facts;
  if (claim.epoch >= facts.epoch) return { kind: 'refuse', reason: 'token_of_this_epoch' };
  const isInDoubt = facts.mustOutliveMs !== undefined && claim.expiresAtMs <= facts.mustOutliveMs;
  const seatsCovered = isInDoubt ? 0 : Math.min(claim.seats, count.seatsUnresolved);
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
