import type { Pool } from 'pg';
import { withConnection } from '../../platform/postgres/connection';
import type { EpochOfRegion } from '../store';

/** Only while the epoch is the one in force: whoever latches the next one sees the record, or it is not written. */
const RECORD = `
update authority set unprotected_epoch = epoch, unprotected_since = clock_timestamp()
where epoch = $1 and region = $2 and opens_at <= clock_timestamp()`;

const CLEAR = `
update authority set unprotected_epoch = null, unprotected_since = null
where epoch = $1 and region = $2 and unprotected_epoch = $1 and unprotected_since = $3::timestamptz`;

/** Resolves to whether it is recorded. Throws `DatabaseFailure`: then nobody knows. */
export async function recordUnprotected(authorityStore: Pool, { epoch, region }: EpochOfRegion): Promise<boolean> {
  const result = await withConnection(authorityStore, (client) => client.query(RECORD, [epoch, region]));
  return result.rowCount === 1;
}

/** Only while the record still says `since`: whoever wrote it again meanwhile relies on it. */
export async function clearUnprotected(
  authorityStore: Pool,
  { epoch, region }: EpochOfRegion,
  since: string,
): Promise<void> {
  await withConnection(authorityStore, (client) => client.query(CLEAR, [epoch, region, since]));
}
