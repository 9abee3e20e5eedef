import {
  type EarlierTerms,
  extendedUntilMs,
  lastAckDeadlineMs,
  type PoolOpening,
  type PossibleLoss,
  poolOpening,
  possibleLossAt,
  withEarlierTerms,
} from '@evergrant/server/epochs/core/epoch-opening';
import { epochVerdict } from '@evergrant/server/epochs/core/role';
import type { ExpectedEpoch, OpeningOutcome, OpeningRequest } from '@evergrant/server/epochs/store';
import type { UncertaintyPolicy } from '@evergrant/server/granting/core/adoption';
import type { Protection } from '@evergrant/server/granting/core/escrow';
import { decideGrants } from '@evergrant/server/granting/core/grant';
import type { Lease, LeaseClaim } from '@evergrant/server/granting/core/lease';
import { NOTHING_RESERVED } from '@evergrant/server/granting/core/pool-ledger';
import { type RenewalRequest, renewalVerdict } from '@evergrant/server/granting/core/renewal';
import type {
  GrantBatchRequest,
  GrantBatchResult,
  ReleaseRequest,
  ReleaseVerdict,
  Renewal,
  Sweep,
} from '@evergrant/server/granting/store';
import type { DisabledRules } from '../mutations';
import type { DatabaseServer } from './database-server';
import { applyPendingImports } from './imports';
import type { PoolRow, SimulatedTransaction } from './tables';

export const LICENSE_ID = 'license-1';
export const SIMULATED_PRODUCT = 'suite';
export const VALID_UNTIL_MS = Date.UTC(2100, 0, 1);

export const featureOf = (poolId: number): string => `feature-${poolId}`;

export interface StatementContext {
  readonly database: DatabaseServer;
  readonly transaction: SimulatedTransaction;
  /** The time of the clock that decides expiry. */
  readonly nowMs: number;
  readonly disabled: DisabledRules;
}

/** The server's SQL on plain rows; the decisions are the product's own functions. */
export function grant(
  context: StatementContext,
  { entitlement, requests, expected, policy, follower }: GrantBatchRequest,
): GrantBatchResult | 'entitlement_changed' {
  const { database, transaction, nowMs, disabled } = context;
  const { poolId } = entitlement;
  releaseHeldBack(context, poolId);
  expireDue(context, poolId);
  const row = transaction.pool(poolId);
  if (row.issue !== entitlement.issue) return 'entitlement_changed';
  const identities = new Set(requests.flatMap(({ identity }) => identity ?? []));
  const byId = requests.flatMap(({ leaseId }) => transaction.lease(leaseId) ?? []);
  const byIdentity = transaction.liveLeases(poolId).filter(({ identity }) => identity && identities.has(identity));
  const known = new Map([...byId, ...byIdentity].map((lease) => [lease.id, lease]));
  const epoch = database.newestEpoch;
  const unprotected = epoch?.unprotected === true;
  const protection: Protection = unprotected ? 'unprotected' : follower.answersInTime ? 'followed' : 'cut_off';
  const pool = { ...row, ackedSeq: Math.max(row.ackedSeq, follower.ackedSeq) };
  const places = [...database.tables.places.values()].filter(
    (place) => place.poolId === poolId && place.expiresAtMs > nowMs,
  );
  const decision = decideGrants({
    pool,
    known: [...known.values()],
    reserved: NOTHING_RESERVED,
    places,
    entitlement,
    requests,
    policy,
    epoch: expected.epoch,
    nowMs,
    protection,
    mustOutliveMs: disabled.has('S4-doubt') ? undefined : epoch?.mustOutliveMs,
  });
  for (const lease of decision.handedOver) transaction.putLease(lease);
  if (decision.inserted.length > 0) {
    const { grantSeq, seatsUnresolved, seatsHeldBack, seatsOver, ackedSeq } = decision.pool;
    transaction.putPool({ ...row, grantSeq, seatsUnresolved, seatsHeldBack, seatsOver, ackedSeq });
    for (const lease of decision.inserted) transaction.putLease(lease);
  }
  const { written, left, lastNumber } = decision.queue;
  for (const place of written) transaction.put({ table: 'place', row: { ...place, poolId } });
  for (const gone of left) transaction.put({ table: 'place', gone });
  const moved = written.length > 0 || left.length > 0;
  if (moved) transaction.putPool({ ...transaction.pool(poolId), queueSeq: lastNumber });
  const { escrow, ackedSeq } = pool;
  const { verdicts } = decision;
  return { verdicts, nowMs, grantSeq: decision.pool.grantSeq, escrow, ackedSeq } satisfies GrantBatchResult;
}

export function renew(
  context: StatementContext,
  requests: readonly RenewalRequest[],
  expected: ExpectedEpoch,
): Renewal[] {
  const { transaction, nowMs, disabled } = context;
  return requests.map((request): Renewal => {
    const found = transaction.lease(request.leaseId);
    if (!found) return { kind: 'unknown' };
    const { leaseTtlMs, ackedSeq, escrow } = transaction.pool(found.poolId);
    const lease = disabled.has('S4-doubt') ? { ...found, mustOutliveMs: undefined } : found;
    const locked = { lease, nowMs, leaseTtlMs, validFromMs: 0, validUntilMs: VALID_UNTIL_MS };
    const verdict = renewalVerdict(request, locked, expected.epoch);
    if (verdict.kind !== 'renewed') return verdict;
    transaction.putLease({ ...verdict.lease, mustOutliveMs: undefined });
    return { ...verdict, pool: leasedPool(transaction.pool(lease.poolId)), ackedSeq, escrow, nowMs };
  });
}

export function release(context: StatementContext, requests: readonly ReleaseRequest[]): ReleaseVerdict[] {
  const { transaction, disabled } = context;
  return requests.map((request): ReleaseVerdict => {
    const lease = transaction.lease(request.leaseId);
    if (lease === undefined) return releaseUnknown(context, request);
    const { handover } = request;
    const isHandedOver = handover !== undefined && handover < (lease.handover ?? 0);
    if (lease.state === 'live' && isHandedOver) return { kind: 'handed_over' };
    if (lease.state === 'live') transaction.putLease(endedBy(request, lease, disabled));
    return { kind: lease.state === 'live' ? 'released' : 'already_ended' };
  });
}

/** A lease that its holder does not release is only marked: `endMarked` ends it. */
function endedBy({ end }: ReleaseRequest, lease: Lease, disabled: DisabledRules): Lease {
  if (end.kind === 'forced' && !disabled.has('take-back')) return { ...lease, ending: true };
  return { ...lease, state: 'released' };
}

export function markedLeases({ database }: StatementContext): string[] {
  return [...database.tables.live.values()].filter(({ ending }) => ending).map(({ id }) => id);
}

/** Ends those of the leases that are marked. Returns their number. */
export function endMarked({ transaction }: StatementContext, leaseIds: readonly string[]): number {
  const marked = leaseIds.flatMap((id) => transaction.lease(id) ?? []).filter((lease) => lease.ending);
  const live = marked.filter(({ state }) => state === 'live');
  for (const lease of live) transaction.putLease({ ...lease, state: 'released' });
  return live.length;
}

/** A queued request may have been granted in a lost region; then its token proves the lease. */
function releaseUnknown(
  { transaction, database, disabled }: StatementContext,
  { leaseId, proven }: ReleaseRequest,
): ReleaseVerdict {
  const waits = database.tables.places.has(leaseId);
  if (waits) transaction.put({ table: 'place', gone: leaseId });
  if (!proven) return { kind: waits ? 'left_line' : 'unknown' };
  if (!disabled.has('S3-released')) transaction.putLease(releasedLease(proven.claim, proven.poolId));
  return { kind: 'recorded' };
}

/** The row of a lease that was already released when it became known. */
function releasedLease(claim: LeaseClaim, poolId: number): Lease {
  const { leaseId: id, holder, controlRoom, seats, seq, epoch, expiresAtMs } = claim;
  const held = { id, poolId, holder, controlRoom, identity: undefined, seats, seq, epoch, expiresAtMs };
  return { ...held, borrowed: false, overdraft: false, state: 'released' };
}

export function expire(context: StatementContext): Sweep {
  const before = context.transaction.writes.length;
  for (const poolId of context.database.tables.pools.keys()) {
    releaseHeldBack(context, poolId);
    expireDue(context, poolId);
  }
  for (const { leaseId, expiresAtMs } of context.database.tables.places.values()) {
    if (expiresAtMs <= context.nowMs) context.transaction.put({ table: 'place', gone: leaseId });
  }
  return { expired: context.transaction.writes.length - before, more: false, overdraftChanges: [] };
}

function releaseHeldBack({ transaction, nowMs }: StatementContext, poolId: number): void {
  const pool = transaction.pool(poolId);
  if (pool.unresolvedUntilMs === undefined || pool.unresolvedUntilMs > nowMs) return;
  transaction.putPool({ ...pool, seatsUnresolved: 0, seatsHeldBack: 0, unresolvedUntilMs: undefined });
}

function expireDue({ transaction, nowMs }: StatementContext, poolId: number): void {
  for (const lease of transaction.liveLeases(poolId)) {
    if (lease.expiresAtMs <= nowMs) transaction.putLease({ ...lease, state: 'expired' });
  }
}

/** S4, like packages/server/src/epochs/sql/open-epoch.ts. */
export function openEpoch(context: StatementContext, request: OpeningRequest): OpeningOutcome {
  const { database, transaction, disabled } = context;
  const newest = database.newestEpoch;
  if (newest && newest.epoch >= request.epoch) return { kind: 'already_known', newest: newest.epoch };
  const opened = database.tables.newestOpened;
  const possibleLoss = possibleLossAt(request.epoch, {
    opened,
    newest: newest?.epoch,
    unprotected: request.unprotected,
  });
  const assumedLoss = disabled.has('S4-hold-back') ? 'nothing' : possibleLoss;
  const mustOutliveMs = lastAckDeadlineMs(possibleLoss, opened, request);
  endMarked(context, markedLeases(context));
  applyPendingImports(context);
  const prepared = [...database.tables.pools.keys()].map((poolId) =>
    preparePool(context, transaction.pool(poolId), {
      possibleLoss: assumedLoss,
      mustOutliveMs,
      policy: request.policy,
    }),
  );
  const { epoch, region } = request;
  transaction.put({
    table: 'epoch',
    row: { epoch, region, opened: true, closed: false, mustOutliveMs, unprotected: false, changes: 0 },
  });
  return {
    kind: 'opened',
    possibleLoss,
    leasesExtended: prepared.reduce((sum, each) => sum + each.leasesExtended, 0),
    seatsHeldBack: prepared.reduce((sum, each) => sum + each.seatsHeldBack, 0),
    unresolvedUntilMs: undefined,
  };
}

interface OpeningTerms {
  readonly possibleLoss: PossibleLoss;
  readonly mustOutliveMs: number | undefined;
  readonly policy: UncertaintyPolicy;
}

function preparePool(
  context: StatementContext,
  pool: PoolRow,
  { possibleLoss, mustOutliveMs, policy }: OpeningTerms,
): { leasesExtended: number; seatsHeldBack: number } {
  const { database, transaction, nowMs, disabled } = context;
  const before = termsOf(database.tables.pools.get(pool.id) ?? pool);
  const opened = withEarlierTerms({ ...pool, validUntilMs: VALID_UNTIL_MS }, before);
  const opening = poolOpening(opened, possibleLoss, { nowMs, policy });
  const { seatsUnresolved, seatsHeldBack, unresolvedUntilMs, placesUntilMs } = opening;
  transaction.putPool({
    ...pool,
    seatsUnresolved,
    seatsHeldBack,
    unresolvedUntilMs,
    queueSeq: pool.queueSeq + opening.numbersReserved,
  });
  for (const place of database.tables.places.values()) {
    if (place.poolId !== pool.id || place.expiresAtMs >= placesUntilMs) continue;
    transaction.put({ table: 'place', row: { ...place, expiresAtMs: placesUntilMs } });
  }
  return {
    leasesExtended: disabled.has('S4-extend') ? 0 : extendLeases(context, opening, mustOutliveMs),
    seatsHeldBack,
  };
}

function termsOf({ seats, overdraft, escrow, leaseTtlMs }: PoolRow): EarlierTerms {
  return { capacity: seats + overdraft, escrow, leaseTtlMs, validUntilMs: VALID_UNTIL_MS };
}

/** Returns how many leases were extended. */
function extendLeases(
  { transaction, disabled }: StatementContext,
  { poolId, leasesUntilMs, leasesExtendedByMs }: PoolOpening,
  mustOutliveMs: number | undefined,
): number {
  const terms = { leasesUntilMs, leasesExtendedByMs: disabled.has('S4-skew') ? 0 : leasesExtendedByMs };
  const leases = transaction.liveLeases(poolId);
  for (const lease of leases) {
    const doubted = mustOutliveMs !== undefined && lease.expiresAtMs <= mustOutliveMs;
    const doubt = doubted ? Math.max(lease.mustOutliveMs ?? 0, mustOutliveMs) : lease.mustOutliveMs;
    transaction.putLease({ ...lease, expiresAtMs: extendedUntilMs(lease.expiresAtMs, terms), mustOutliveMs: doubt });
  }
  return leases.length;
}

/** `evergrant_close_epoch`: throws when the database knows a newer epoch. */
export function closeEpoch({ database, transaction }: StatementContext, epoch: number): void {
  const newest = database.newestEpoch;
  if (newest && newest.epoch > epoch) throw new RangeError(`epoch ${epoch} is not the newest`);
  const row =
    newest?.epoch === epoch
      ? { ...newest, closed: true }
      : {
          epoch,
          region: 'none',
          opened: false,
          closed: true,
          mustOutliveMs: undefined,
          unprotected: false,
          changes: 0,
        };
  transaction.put({ table: 'epoch', row });
}

export function leasedPool({ id, leaseTtlMs }: Pick<PoolRow, 'id' | 'leaseTtlMs'>) {
  const policy = { graceSeconds: 172_800, suspendAfterSeconds: 2_592_000 };
  const names = { licenseId: LICENSE_ID, product: SIMULATED_PRODUCT, feature: featureOf(id) };
  return { ...names, leaseTtlMs, onDisconnect: 'keep' as const, policy };
}

export const isOpen = (database: DatabaseServer, expected: ExpectedEpoch) =>
  epochVerdict(database.newestEpoch, expected);
