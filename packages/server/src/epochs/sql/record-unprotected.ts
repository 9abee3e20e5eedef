import type { Pool } from 'pg';
import { withConnection } from '../../platform/postgres/connection';
import type { EpochOfRegion } from '../store';

/**
 * Recorded only while the epoch is in force: the next latch keeps the record, or the record is not written.
 * `unprotected_since` only grows, and a clear keeps it, so each record has a unique mark.
 */
const RECORD = `
update authority set unprotected_epoch = epoch,
  unprotected_since = greatest(clock_timestamp(), unprotected_since + interval '1 microsecond')
where epoch = $1 and region = $2 and opens_at <= clock_timestamp()`;

const CLEAR = `
update authority set unprotected_epoch = null
where epoch = $1 and region = $2 and unprotected_epoch = $1 and unprotected_since = $3::timestamptz`;

/**
 * Resolves to false when the epoch is no longer in force. After a `DatabaseFailure` the record may have been written.
 */
export async function recordUnprotected(authorityStore: Pool, { epoch, region }: EpochOfRegion): Promise<boolean> {
  const result = await withConnection(authorityStore, (client) => client.query(RECORD, [epoch, region]));
  return result.rowCount === 1;
}

/** Clears the record only while it still carries `since`: a server that has written it again relies on it. */
export async function clearUnprotected(
  authorityStore: Pool,
  { epoch, region }: EpochOfRegion,
  since: string,
): Promise<void> {
  await withConnection(authorityStore, (client) => client.query(CLEAR, [epoch, region, since]));
}
