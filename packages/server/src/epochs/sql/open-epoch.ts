import type { Pool, PoolClient } from 'pg';
import { milliseconds } from '../../granting/sql/rows';
import { commit, withConnection } from '../../platform/postgres/connection';
import { EPOCH_LOCK } from '../../platform/postgres/transaction';
import {
  type EarlierTerms,
  lastAckDeadlineMs,
  type OpenedEpoch,
  type OpeningPool,
  type PossibleLoss,
  poolOpening,
  possibleLossAt,
  withEarlierTerms,
} from '../core/epoch-opening';
import type { EpochRow } from '../core/role';
import type { OpeningOutcome, OpeningRequest } from '../store';

/** Extending every live lease may take longer than the time limits of a grant. */
const OPENING_TIME_LIMITS = `set local statement_timeout = '20s'; set local lock_timeout = '5s'`;

/** Opens an epoch (S4) under the exclusive epoch lock, before its first grant. Only the first caller opens it. */
export async function openEpochInDatabase(database: Pool, request: OpeningRequest): Promise<OpeningOutcome> {
  return withConnection(database, async (client) => {
    await client.query(`begin; ${OPENING_TIME_LIMITS}; select pg_advisory_xact_lock(${EPOCH_LOCK})`);
    const newest = (await client.query<EpochRow>(NEWEST)).rows[0];
    if (newest && newest.epoch >= request.epoch) {
      await client.query('rollback');
      return { kind: 'already_known', newest: newest.epoch };
    }
    const opened = await newestOpened(client);
    const possibleLoss = possibleLossAt(request.epoch, {
      opened,
      newest: newest?.epoch,
      unprotected: request.unprotected,
    });
    const mustOutliveMs = lastAckDeadlineMs(possibleLoss, opened, request);
    await client.query(END_MARKED_LEASES);
    const termsBefore = await applyPendingImports(client);
    const outcome = await prepareForEpoch(client, possibleLoss, { ...request, mustOutliveMs, termsBefore });
    await client.query(INSERT_EPOCH, [request.epoch, request.region, request.openedBy, mustOutliveMs ?? null]);
    // Events that the follower did not have yet are gone, and no checkpoint need have covered them.
    if (possibleLoss !== 'nothing') await client.query(DECLARE_UNKNOWN_TAIL, [request.epoch - 1, possibleLoss]);
    await commit(client);
    return outcome;
  });
}

/** Their seats may have been sold again in a lost region, so no token revives them. */
const END_MARKED_LEASES = `
update lease set state = 'released', ended_at = clock_timestamp() where state = 'live' and ending_since is not null`;

const NEWEST = 'select epoch, region, closed_at is not null as closed from epoch order by epoch desc limit 1';

/** Epochs that were closed unopened are skipped: they carry no evidence about the grants of the previous epoch. */
const NEWEST_OPENED = `
select epoch, region, closed_at is not null as closed, ${milliseconds('must_outlive')} as "mustOutliveMs"
from epoch where opened_at is not null order by epoch desc limit 1`;

async function newestOpened(client: PoolClient): Promise<OpenedEpoch | undefined> {
  type Row = EpochRow & { mustOutliveMs: number | null };
  const [row] = (await client.query<Row>(NEWEST_OPENED)).rows;
  return row && { ...row, mustOutliveMs: row.mustOutliveMs ?? undefined };
}

export async function readClock(database: Pool): Promise<number> {
  return withConnection(database, async (client) => {
    const clock = await client.query<{ nowMs: number }>(`select ${milliseconds('clock_timestamp()')} as "nowMs"`);
    return clock.rows[0]?.nowMs ?? Number.NaN;
  });
}

const INSERT_EPOCH = `
insert into epoch (epoch, region, opened_by, must_outlive) values ($1, $2, $3, to_timestamp($4::float8 / 1000))`;

const DECLARE_UNKNOWN_TAIL = 'select evergrant_audit_unknown_tail($1, $2)';

const LOCK_POOLS = `
select pool.id, seats, overdraft, seats_taken as "seatsTaken", escrow, lease_ttl_seconds * 1000::bigint as "leaseTtlMs",
  seats_awaited as "seatsUnresolved", ${milliseconds('awaited_until')} as "unresolvedUntilMs",
  ${milliseconds('license.valid_until')} as "validUntilMs", ${milliseconds('clock_timestamp()')} as "nowMs"
from pool join license on license.id = pool.license_id order by pool.id for update of pool`;

const HOLD_BACK = `
update pool set seats_awaited = opening.seats_awaited, seats_held_back = opening.seats_held_back,
  awaited_until = to_timestamp(opening.awaited_until_ms / 1000), queue_seq = queue_seq + opening.numbers_left
from unnest($1::bigint[], $2::int[], $3::int[], $4::float8[], $5::bigint[])
  as opening (pool_id, seats_awaited, seats_held_back, awaited_until_ms, numbers_left)
where pool.id = opening.pool_id`;

/**
 * Applies `extendedUntilMs` to every live lease, including leases that have expired and are not ended yet: a lost
 * heartbeat may have renewed them. `must_outlive` never decreases.
 */
const EXTEND_LEASES = `
update lease set
  expires_at = greatest(
    to_timestamp(opening.leases_until_ms / 1000), lease.expires_at + opening.leases_longer_ms * interval '1 millisecond'
  ),
  must_outlive = case when lease.expires_at <= to_timestamp($4::float8 / 1000)
    then greatest(must_outlive, to_timestamp($4::float8 / 1000)) else must_outlive end
from unnest($1::bigint[], $2::float8[], $3::float8[]) as opening (pool_id, leases_until_ms, leases_longer_ms)
where lease.pool_id = opening.pool_id and lease.state = 'live'`;

/** Includes places that have expired and are not removed yet. */
const EXTEND_PLACES = `
update queue_place set expires_at = to_timestamp(opening.places_until_ms / 1000)
from unnest($1::bigint[], $2::float8[]) as opening (pool_id, places_until_ms)
where queue_place.pool_id = opening.pool_id and expires_at < to_timestamp(opening.places_until_ms / 1000)`;

type TermsByPool = ReadonlyMap<number, EarlierTerms>;

const READ_TERMS = `
select pool.id, seats + overdraft as capacity, escrow, lease_ttl_seconds * 1000::bigint as "leaseTtlMs",
  ${milliseconds('license.valid_until')} as "validUntilMs"
from pool join license on license.id = pool.license_id`;

/**
 * Brings the imports into force that the lost region announced: it may have granted by them. Resolves to the terms before,
 * by which it may have granted as well.
 */
async function applyPendingImports(client: PoolClient): Promise<TermsByPool> {
  const before = await client.query<EarlierTerms & { id: number }>(READ_TERMS);
  await client.query('select evergrant_apply_pending_imports()');
  return new Map(before.rows.map((terms) => [terms.id, terms]));
}

async function prepareForEpoch(
  client: PoolClient,
  possibleLoss: PossibleLoss,
  {
    policy,
    mustOutliveMs,
    termsBefore,
  }: OpeningRequest & { mustOutliveMs: number | undefined; termsBefore: TermsByPool },
): Promise<OpeningOutcome> {
  const pools = await client.query<
    Omit<OpeningPool, 'unresolvedUntilMs'> & { unresolvedUntilMs: number | null; nowMs: number }
  >(LOCK_POOLS);
  const openings = pools.rows.map(({ nowMs, unresolvedUntilMs, ...row }) => {
    const pool = { ...row, unresolvedUntilMs: unresolvedUntilMs ?? undefined };
    return poolOpening(withEarlierTerms(pool, termsBefore.get(pool.id)), possibleLoss, { nowMs, policy });
  });
  await client.query(HOLD_BACK, [
    openings.map((opening) => opening.poolId),
    openings.map((opening) => opening.seatsUnresolved),
    openings.map((opening) => opening.seatsHeldBack),
    openings.map((opening) => opening.unresolvedUntilMs ?? null),
    openings.map((opening) => opening.numbersReserved),
  ]);
  await client.query(EXTEND_PLACES, [
    openings.map((opening) => opening.poolId),
    openings.map((opening) => opening.placesUntilMs),
  ]);
  const extended = await client.query({
    text: EXTEND_LEASES,
    values: [
      openings.map((opening) => opening.poolId),
      openings.map((opening) => opening.leasesUntilMs),
      openings.map((opening) => opening.leasesExtendedByMs),
      mustOutliveMs ?? null,
    ],
  });
  const untils = openings.flatMap((opening) => opening.unresolvedUntilMs ?? []);
  return {
    kind: 'opened',
    possibleLoss,
    leasesExtended: extended.rowCount ?? 0,
    seatsHeldBack: openings.reduce((sum, opening) => sum + opening.seatsHeldBack, 0),
    unresolvedUntilMs: untils.length > 0 ? Math.max(...untils) : undefined,
  };
}
