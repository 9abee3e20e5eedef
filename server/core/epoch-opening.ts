import { type UncertaintyPolicy, uncertaintyWindowMs } from './adoption';
import { NUMBERS_LEFT_TO_LOST_PLACES, PLACE_TTL_MS } from './queue';
import type { EpochRow } from './role';
import { capacityOf } from './seats';

export interface OpeningPool {
  readonly id: number;
  readonly seats: number;
  readonly overdraft: number;
  readonly seatsTaken: number;
  readonly escrow: number;
  readonly leaseTtlMs: number;
  /** The end of its license, which no lost heartbeat can have renewed beyond. */
  readonly validUntilMs: number;
  /** What an earlier opening still awaits, and until when. */
  readonly seatsAwaited: number;
  readonly awaitedUntilMs: number | undefined;
}

/** The newest epoch that was opened, as the database has it. */
export interface OpenedEpoch extends EpochRow {
  readonly mustOutliveMs: number | undefined;
}

export interface PoolOpening {
  readonly poolId: number;
  readonly seatsAwaited: number;
  readonly seatsHeldBack: number;
  readonly awaitedUntilMs: number | undefined;
  /** Every live lease of the pool lasts at least until then, since a lost heartbeat may have renewed it. */
  readonly leasesUntilMs: number;
  /** The same for the places in line. */
  readonly placesUntilMs: number;
  /** Numbers that are left to places of the lost region, so that they come before all that are new. */
  readonly numbersLeft: number;
}

/**
 * The last moment, by the database's clock, at which a lost region may have ended leases and sold their seats again
 * (S4). A lease that was to end before then is in doubt, and so is a token that was: whoever lets its lease lapse while
 * the region could still decide has no claim to it. What an earlier opening doubted stays doubted. Undefined: nothing
 * is unknown.
 */
export function lastWordMs(
  previous: OpenedEpoch | undefined,
  { nowMs, lapsedAgoMs, policy }: { nowMs: number; lapsedAgoMs: number; policy: UncertaintyPolicy },
): number | undefined {
  if (!previous) return undefined;
  return previous.closed ? previous.mustOutliveMs : nowMs - lapsedAgoMs + policy.skewMs;
}

/**
 * What opening an epoch does to a pool (S4).
 *
 * An epoch that was closed in this very database (a planned hand-over) owes nothing: every grant of it was committed
 * before the closing, and the closing is here. Likewise when there was no epoch before. What an earlier opening
 * still awaits stays awaited.
 */
export function poolOpening(
  pool: OpeningPool,
  previous: EpochRow | undefined,
  { nowMs, policy }: { nowMs: number; policy: UncertaintyPolicy },
): PoolOpening {
  const untilMs = nowMs + uncertaintyWindowMs(pool.leaseTtlMs, policy);
  const stillAwaited = pool.awaitedUntilMs !== undefined && pool.awaitedUntilMs > nowMs ? pool.seatsAwaited : 0;
  const somethingLost = previous !== undefined && !previous.closed;
  const newlyAwaited = somethingLost ? pool.escrow : 0;
  const seatsAwaited = stillAwaited + newlyAwaited;
  const awaitedUntilMs = newlyAwaited > 0 ? untilMs : pool.awaitedUntilMs;
  return {
    poolId: pool.id,
    seatsAwaited,
    seatsHeldBack: Math.min(seatsAwaited, Math.max(0, capacityOf(pool) - pool.seatsTaken)),
    awaitedUntilMs: seatsAwaited > 0 ? awaitedUntilMs : undefined,
    leasesUntilMs: Math.min(untilMs, pool.validUntilMs),
    placesUntilMs: nowMs + uncertaintyWindowMs(PLACE_TTL_MS, policy),
    numbersLeft: somethingLost ? NUMBERS_LEFT_TO_LOST_PLACES : 0,
  };
}
