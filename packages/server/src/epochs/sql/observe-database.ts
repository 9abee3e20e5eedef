import type { Pool } from 'pg';
import { DatabaseFailure } from '../../platform/database-failure';
import { withConnection } from '../../platform/postgres/connection';
import { SCHEMA_FOUND } from '../../platform/postgres/migrations';
import type { DatabaseFact, EpochRow } from '../core/role';
import type { DatabaseObservation } from '../store';

/**
 * The one promotable follower (S5), by the pattern $1. More than one candidate, and nobody knows which of them a failover
 * would promote: then none counts. Candidates are the physical connections that match, whatever their state, and, when a
 * wildcard matches every name, each physical slot without a connection: on RDS every replica has its own slot, so an
 * unused slot is that of a follower which is away. A logical walsender always has a logical slot, and never counts.
 * A base backup acknowledges nothing.
 */
const FOLLOWER = `
select candidates.followers, candidates.followers = 1 and candidates.streaming as streaming,
  case when candidates.followers = 1 then candidates.flushed end as flushed
from (
  select (count(*) + (
      select count(*) from pg_replication_slots unused
      where position('%' in $1) > 0 and unused.slot_type = 'physical' and unused.active_pid is null
    ))::int as followers,
    coalesce(bool_or(walsender.state = 'streaming'), false) as streaming,
    min(walsender.flush_lsn) filter (where walsender.state = 'streaming') as flushed
  from pg_stat_replication walsender left join pg_replication_slots slot on slot.active_pid = walsender.pid
  where walsender.application_name like $1 and walsender.state <> 'backup' and slot.slot_type is distinct from 'logical'
) candidates`;

const OBSERVE = `
select pg_is_in_recovery() or current_setting('transaction_read_only') = 'on' as read_only,
  newest.epoch, newest.region, newest.closed, ${SCHEMA_FOUND} as schema_found,
  follower.followers, follower.streaming, coalesce(follower.flushed >= $2::pg_lsn, false) as acknowledged
from (${FOLLOWER}) follower
left join (
  select epoch, region, closed_at is not null as closed from epoch order by epoch desc limit 1
) newest on true`;

interface ObservedRow {
  read_only: boolean;
  epoch: number | null;
  region: string;
  closed: boolean;
  followers: number;
  streaming: boolean;
  acknowledged: boolean;
  schema_found: number | null;
}

export interface ObservationRequest {
  readonly followerName: string;
  readonly beaconLsn: string | undefined;
  readonly schemaNeeded: number;
}

/** Reads the database's state once. An unreachable database is a fact, not an error. */
export async function observeDatabase(
  database: Pool,
  { followerName, beaconLsn, schemaNeeded }: ObservationRequest,
): Promise<DatabaseObservation> {
  try {
    const result = await withConnection(database, (client) =>
      client.query<ObservedRow>({ name: 'observe', text: OBSERVE, values: [followerName, beaconLsn ?? null] }),
    );
    const [row] = result.rows;
    if (!row) throw new TypeError('the observation returned no row');
    return {
      database: factOf(row, schemaNeeded),
      followers: row.followers,
      followerStreaming: row.streaming,
      beaconAcknowledged: row.acknowledged,
    };
  } catch (error) {
    if (!(error instanceof DatabaseFailure)) throw error;
    return {
      database: { kind: 'unreachable', epoch: undefined },
      followers: undefined,
      followerStreaming: false,
      beaconAcknowledged: false,
      failure: error,
    };
  }
}

function factOf(row: ObservedRow, needed: number): DatabaseFact {
  const epoch: EpochRow | undefined =
    row.epoch === null ? undefined : { epoch: row.epoch, region: row.region, closed: row.closed };
  if (row.read_only) return { kind: 'read_only', epoch };
  const found = row.schema_found ?? undefined;
  return (found ?? 0) < needed ? { kind: 'outdated', epoch, schema: { found, needed } } : { kind: 'writable', epoch };
}

/**
 * Reads the LSN that the follower has flushed. The value is read from the primary database each time and never cached:
 * after another database has taken over at the same address, only that database's value counts.
 */
export async function readAcknowledged(database: Pool, followerName: string): Promise<string | undefined> {
  const result = await withConnection(database, (client) =>
    client.query<{ flushed: string | null }>({
      name: 'read-acknowledged',
      text: `select flushed::text from (${FOLLOWER}) follower`,
      values: [followerName],
    }),
  );
  return result.rows[0]?.flushed ?? undefined;
}

/**
 * Writes an empty message into the WAL. The follower's acknowledgement of it proves that the follower still streamed
 * *after* this call began, regardless of how long the acknowledgement took. Resolves to the message's LSN.
 */
export async function writeBeacon(database: Pool): Promise<string> {
  return withConnection(database, async (client) => {
    const written = await client.query<{ lsn: string }>(
      `select pg_logical_emit_message(true, 'evergrant', '')::text as lsn`,
    );
    const lsn = written.rows[0]?.lsn;
    if (lsn === undefined) throw new TypeError('the beacon returned no LSN');
    return lsn;
  });
}
