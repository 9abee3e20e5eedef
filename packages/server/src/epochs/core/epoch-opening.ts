import { type UncertaintyPolicy, uncertaintyWindowMs } from '../../granting/core/adoption';
import { capacityOf } from '../../granting/core/seats';
import { NUMBERS_RESERVED_FOR_LOST_PLACES, PLACE_TTL_MS } from '../../queue/core/queue';
import type { UnprotectedRecord } from './replication-mode';

export interface OpeningPool {
  readonly id: number;
  readonly seats: number;
  readonly overdraft: number;
  readonly seatsTaken: number;
  readonly escrow: number;
  readonly leaseTtlMs: number;
  /** The end of the pool's license. A lost heartbeat cannot have renewed a lease beyond it. */
  readonly validUntilMs: number;
  /** Seats that an earlier opening left unresolved, and until when they stay unresolved. */
  readonly seatsUnresolved: number;
  readonly unresolvedUntilMs: number | undefined;
  /** The most seats that may have been granted, when an earlier issue of the license had more. */
  readonly capacityBefore?: number;
}

/** The terms of a pool before an announced import came into force. */
export interface EarlierTerms {
  readonly capacity: number;
  readonly escrow: number;
  readonly leaseTtlMs: number;
  readonly validUntilMs: number;
}

/** The lost region may have granted by the terms before an announced import, or by those after it. */
export function withEarlierTerms(pool: OpeningPool, before: EarlierTerms | undefined): OpeningPool {
  if (!before) return pool;
  return {
    ...pool,
    capacityBefore: before.capacity,
    escrow: Math.max(pool.escrow, before.escrow),
    leaseTtlMs: Math.max(pool.leaseTtlMs, before.leaseTtlMs),
    validUntilMs: Math.max(pool.validUntilMs, before.validUntilMs),
  };
}

/**
 * The grants of earlier epochs that the database may lack when an epoch opens.
 * - `nothing`: the previous epoch was closed in this database, after its last grant.
 * - `escrow`: the database may lack grants that were answered before the follower acknowledged them (S2).
 * - `anything`: grants did not wait for the follower (S6), so any number may be missing.
 */
export type PossibleLoss = 'nothing' | 'escrow' | 'anything';

/** The newest epoch that was opened, by the database's rows. */
export interface OpenedEpoch {
  readonly epoch: number;
  readonly closed: boolean;
  /** Leases that its opening left in doubt had to outlive this moment. */
  readonly mustOutliveMs: number | undefined;
}

/** The epochs before the one that opens, by the database's rows and by the authority store's record. */
export interface EarlierEpochs {
  readonly opened: Omit<OpenedEpoch, 'mustOutliveMs'> | undefined;
  /** The newest epoch in the database, including epochs that were closed before they were opened. */
  readonly newest: number | undefined;
  readonly unprotected: UnprotectedRecord | undefined;
}

/**
 * The loss that the opening of `epoch` assumes. Without evidence of an epoch's end, it assumes more grants (S4, S6).
 */
export function possibleLossAt(epoch: number, { opened, newest, unprotected }: EarlierEpochs): PossibleLoss {
  const lastCompleteEpoch = opened?.closed ? opened.epoch : (opened?.epoch ?? 0) - 1;
  if (unprotected && unprotected.epoch < epoch && unprotected.epoch > lastCompleteEpoch) return 'anything';
  if (opened === undefined && epoch === 1) return 'nothing';
  // An epoch between the newest known one and this one may have been opened in the other region.
  const isEveryEpochKnown = newest === epoch - 1;
  return opened?.closed && isEveryEpochKnown ? 'nothing' : 'escrow';
}

function unknownGrantsMax(pool: OpeningPool, possibleLoss: PossibleLoss): number {
  switch (possibleLoss) {
    case 'nothing':
      return 0;
    case 'escrow':
      return pool.escrow;
    case 'anything':
      return Math.max(capacityOf(pool), pool.capacityBefore ?? 0);
  }
}

export interface PoolOpening {
  readonly poolId: number;
  readonly seatsUnresolved: number;
  readonly seatsHeldBack: number;
  readonly unresolvedUntilMs: number | undefined;
  /** Every live lease of the pool lasts at least until this moment, because a lost heartbeat may have renewed it. */
  readonly leasesUntilMs: number;
  /** Every live lease is extended by at least this much, because its row holds the time of another region's clock. */
  readonly leasesExtendedByMs: number;
  /** Every place in the queue lasts at least until this moment. */
  readonly placesUntilMs: number;
  /** Queue numbers reserved for places of the lost region, so that they precede every new place. */
  readonly numbersReserved: number;
}

/**
 * The last moment, by the database's clock, at which a lost region may have ended leases and sold their seats again
 * (S4). A lease or a token that was to end before this moment is in doubt: its holder let it expire while the lost
 * region could still decide. Leases that an earlier opening left in doubt stay in doubt. Undefined when no grant is
 * missing.
 */
export function lastAckDeadlineMs(
  possibleLoss: PossibleLoss,
  opened: Pick<OpenedEpoch, 'mustOutliveMs'> | undefined,
  { lapsedAtMs, policy }: { lapsedAtMs: number; policy: UncertaintyPolicy },
): number | undefined {
  return possibleLoss === 'nothing' ? opened?.mustOutliveMs : lapsedAtMs + policy.skewMs;
}

/** Maximum of the database's integer columns. */
const SEATS_MAX = 2_147_483_647;

/** The changes that opening an epoch makes to a pool (S4). Seats that an earlier opening left unresolved stay so. */
export function poolOpening(
  pool: OpeningPool,
  possibleLoss: PossibleLoss,
  { nowMs, policy }: { nowMs: number; policy: UncertaintyPolicy },
): PoolOpening {
  const untilMs = nowMs + uncertaintyWindowMs(pool.leaseTtlMs, policy);
  const stillUnresolved =
    pool.unresolvedUntilMs !== undefined && pool.unresolvedUntilMs > nowMs ? pool.seatsUnresolved : 0;
  const newlyUnresolved = unknownGrantsMax(pool, possibleLoss);
  const seatsUnresolved = Math.min(stillUnresolved + newlyUnresolved, SEATS_MAX);
  const unresolvedUntilMs = newlyUnresolved > 0 ? untilMs : pool.unresolvedUntilMs;
  return {
    poolId: pool.id,
    seatsUnresolved,
    seatsHeldBack: Math.min(seatsUnresolved, Math.max(0, capacityOf(pool) - pool.seatsTaken)),
    unresolvedUntilMs: seatsUnresolved > 0 ? unresolvedUntilMs : undefined,
    leasesUntilMs: Math.min(untilMs, pool.validUntilMs),
    leasesExtendedByMs: policy.skewMs,
    placesUntilMs: nowMs + uncertaintyWindowMs(PLACE_TTL_MS, policy),
    numbersReserved: possibleLoss !== 'nothing' ? NUMBERS_RESERVED_FOR_LOST_PLACES : 0,
  };
}

/**
 * The end of a live lease after the opening. The row's end was written by the clock of the region that granted before,
 * and the holder counts by that clock. By this region's clock the row's end may come early by the skew, so the opening
 * adds the skew. That matters for leases that end after the extension, such as borrows, or together with their license.
 * Each opening adds the skew again, because each region may have sent its own end to the holder. The license's end does
 * not limit the addition: the holder may hold a token that ends with the license, and the license may be reissued. A
 * lease that lasts a few seconds longer only keeps its seat for those seconds.
 */
export function extendedUntilMs(
  expiresAtMs: number,
  { leasesUntilMs, leasesExtendedByMs }: Pick<PoolOpening, 'leasesUntilMs' | 'leasesExtendedByMs'>,
): number {
  return Math.max(leasesUntilMs, expiresAtMs + leasesExtendedByMs);
}
