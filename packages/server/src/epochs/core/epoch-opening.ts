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
  /** The end of its license, which no lost heartbeat can have renewed beyond. */
  readonly validUntilMs: number;
  /** What an earlier opening still awaits, and until when. */
  readonly seatsUnresolved: number;
  readonly unresolvedUntilMs: number | undefined;
}

/**
 * What a database may lack of the grants before an epoch that opens. `nothing`: the epoch before was closed in this very
 * database, after its last grant. `escrow`: what had been answered and not acknowledged (S2). `anything`: grants went
 * without waiting for the follower (S6).
 */
export type PossibleLoss = 'nothing' | 'escrow' | 'anything';

/** The newest epoch that was opened, as the database has it. */
export interface OpenedEpoch {
  readonly epoch: number;
  readonly closed: boolean;
  /** What it took over in doubt had to outlive this moment. */
  readonly mustOutliveMs: number | undefined;
}

/** The epochs that a database knows, and what the authority store tells of those that it may not know. */
export interface EpochsBefore {
  readonly opened: Omit<OpenedEpoch, 'mustOutliveMs'> | undefined;
  /** The newest of all, those included that were closed before anybody opened them. */
  readonly newest: number | undefined;
  readonly unprotected: UnprotectedRecord | undefined;
}

/** What the opening of `epoch` must reckon with: where the evidence of an end is missing, there was more (S4, S6). */
export function lackAt(epoch: number, { opened, newest, unprotected }: EpochsBefore): PossibleLoss {
  const seenToItsEnd = opened?.closed ? opened.epoch : (opened?.epoch ?? 0) - 1;
  if (unprotected && unprotected.epoch < epoch && unprotected.epoch > seenToItsEnd) return 'anything';
  if (opened === undefined && epoch === 1) return 'nothing';
  // An epoch in between, of which nothing is known here, may have been opened elsewhere.
  const everyOneKnown = newest === epoch - 1;
  return opened?.closed && everyOneKnown ? 'nothing' : 'escrow';
}

function unknownGrantsMax(pool: OpeningPool, lack: PossibleLoss): number {
  switch (lack) {
    case 'nothing':
      return 0;
    case 'escrow':
      return pool.escrow;
    case 'anything':
      return capacityOf(pool);
  }
}

export interface PoolOpening {
  readonly poolId: number;
  readonly seatsUnresolved: number;
  readonly seatsHeldBack: number;
  readonly unresolvedUntilMs: number | undefined;
  /** Every live lease of the pool lasts at least until then, since a lost heartbeat may have renewed it. */
  readonly leasesUntilMs: number;
  /** And at least so much longer than its row says: that was the time of another region's clock. */
  readonly leasesLongerMs: number;
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
export function lastAckDeadlineMs(
  lack: PossibleLoss,
  opened: Pick<OpenedEpoch, 'mustOutliveMs'> | undefined,
  { nowMs, lapsedAgoMs, policy }: { nowMs: number; lapsedAgoMs: number; policy: UncertaintyPolicy },
): number | undefined {
  return lack === 'nothing' ? opened?.mustOutliveMs : nowMs - lapsedAgoMs + policy.skewMs;
}

/** What the database can count. */
const SEATS_MAX = 2_147_483_647;

/** What opening an epoch does to a pool (S4). What an earlier opening still awaits stays awaited. */
export function poolOpening(
  pool: OpeningPool,
  lack: PossibleLoss,
  { nowMs, policy }: { nowMs: number; policy: UncertaintyPolicy },
): PoolOpening {
  const untilMs = nowMs + uncertaintyWindowMs(pool.leaseTtlMs, policy);
  const stillUnresolved =
    pool.unresolvedUntilMs !== undefined && pool.unresolvedUntilMs > nowMs ? pool.seatsUnresolved : 0;
  const newlyUnresolved = unknownGrantsMax(pool, lack);
  const seatsUnresolved = Math.min(stillUnresolved + newlyUnresolved, SEATS_MAX);
  const unresolvedUntilMs = newlyUnresolved > 0 ? untilMs : pool.unresolvedUntilMs;
  return {
    poolId: pool.id,
    seatsUnresolved,
    seatsHeldBack: Math.min(seatsUnresolved, Math.max(0, capacityOf(pool) - pool.seatsTaken)),
    unresolvedUntilMs: seatsUnresolved > 0 ? unresolvedUntilMs : undefined,
    leasesUntilMs: Math.min(untilMs, pool.validUntilMs),
    leasesLongerMs: policy.skewMs,
    placesUntilMs: nowMs + uncertaintyWindowMs(PLACE_TTL_MS, policy),
    numbersLeft: lack !== 'nothing' ? NUMBERS_RESERVED_FOR_LOST_PLACES : 0,
  };
}

/**
 * When a live lease ends after the opening. Its end in the row was told by the clock of the region that granted before, and
 * its holder counts by that one; by this region's clock it may come the skew too early. The extension makes up for that in
 * all but what ends later still, as borrows do, or with its license. Each opening adds the skew again, for each may have
 * told a holder the end anew. Even a license does not end that: its holder may have been told its very end, and the license
 * may be issued anew. A lease that lasts a few seconds longer keeps its seat for them, and nothing else.
 */
export function extendedUntilMs(
  expiresAtMs: number,
  { leasesUntilMs, leasesLongerMs }: Pick<PoolOpening, 'leasesUntilMs' | 'leasesLongerMs'>,
): number {
  return Math.max(leasesUntilMs, expiresAtMs + leasesLongerMs);
}
