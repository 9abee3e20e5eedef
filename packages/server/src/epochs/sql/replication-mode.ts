import type { Pool } from 'pg';
import { sendCommit, withConnection } from '../../platform/postgres/connection';
import { EPOCH_LOCK } from '../../platform/postgres/transaction';
import type { EpochOfRegion, ReplicationModeRow } from '../store';

/** Whether the newest epoch's grants go without waiting for the follower, and how often they were made to wait again. */
export async function readProtection(database: Pool): Promise<ReplicationModeRow | undefined> {
  const result = await withConnection(database, (client) =>
    client.query<ReplicationModeRow>({
      name: 'read-protection',
      text: `select epoch, unprotected_since is not null as unprotected, protection_changes as changes
             from epoch order by epoch desc limit 1`,
    }),
  );
  return result.rows[0];
}

/** Not when grants were made to wait again meanwhile: the record in the authority store may have been cleared. */
const GRANT_UNPROTECTED = `
update epoch set unprotected_since = clock_timestamp()
where epoch = $1 and region = $2 and closed_at is null and unprotected_since is null and protection_changes = $3`;

/** Lets the grants of an epoch go without waiting for the follower. Resolves to whether it did. */
export async function grantUnprotected(
  database: Pool,
  { epoch, region }: EpochOfRegion,
  seenChanges: number,
): Promise<boolean> {
  const result = await withConnection(database, (client) =>
    client.query(GRANT_UNPROTECTED, [epoch, region, seenChanges]),
  );
  return result.rowCount === 1;
}

/**
 * Makes grants wait for the follower again. The exclusive epoch lock waits for every transaction that has not seen it
 * yet, so a follower that has flushed the LSN that this resolves to has all that was granted without waiting.
 * Undefined when the epoch is not the open one any more.
 */
export async function protectGrants(database: Pool, { epoch, region }: EpochOfRegion): Promise<string | undefined> {
  return withConnection(database, async (client) => {
    await client.query(`begin; select pg_advisory_xact_lock(${EPOCH_LOCK})`);
    const changed = await client.query(
      `update epoch set unprotected_since = null, protection_changes = protection_changes + 1
       where epoch = $1 and region = $2 and closed_at is null`,
      [epoch, region],
    );
    const lsn = await sendCommit(client);
    return changed.rowCount === 1 ? lsn : undefined;
  });
}
