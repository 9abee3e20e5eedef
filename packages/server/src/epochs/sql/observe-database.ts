import type { Pool } from 'pg';
import { DatabaseFailure } from '../../platform/database-failure';
import { withConnection } from '../../platform/postgres/connection';
import { SCHEMA_FOUND } from '../../platform/postgres/migrations';
import type { DatabaseFact, EpochRow } from '../core/role';
import type { Observation } from '../store';

const OBSERVE = `
select pg_is_in_recovery() or current_setting('transaction_read_only') = 'on' as read_only,
  newest.epoch, newest.region, newest.closed, ${SCHEMA_FOUND} as schema_found,
  coalesce(follower.streaming, false) as streaming,
  coalesce(follower.flushed >= $2::pg_lsn, false) as acknowledged
from (select) nothing
left join (
  select epoch, region, closed_at is not null as closed from epoch order by epoch desc limit 1
) newest on true
left join (
  select bool_or(state = 'streaming') as streaming, max(flush_lsn) filter (where state = 'streaming') as flushed
  from pg_stat_replication where application_name like $1
) follower on true`;

interface ObservedRow {
  read_only: boolean;
  epoch: number | null;
  region: string;
  closed: boolean;
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
): Promise<Observation> {
  try {
    const result = await withConnection(database, (client) =>
      client.query<ObservedRow>({ name: 'observe', text: OBSERVE, values: [followerName, beaconLsn ?? null] }),
    );
    const [row] = result.rows;
    if (!row) throw new TypeError('the observation returned no row');
    return {
      database: factOf(row, schemaNeeded),
      followerStreaming: row.streaming,
      beaconAcknowledged: row.acknowledged,
    };
  } catch (error) {
    if (!(error instanceof DatabaseFailure)) throw error;
    return {
      database: { kind: 'unreachable', epoch: undefined },
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
      text: `select max(flush_lsn)::text as flushed from pg_stat_replication
             where application_name like $1 and state = 'streaming'`,
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
