import type { Pool } from 'pg';
import { sendCommit, withConnection } from '../../platform/postgres/connection';
import { EPOCH_LOCK } from '../../platform/postgres/transaction';
import type { EpochOfRegion, ReplicationModeRow } from '../store';

/** Reads whether the newest epoch's grants skip the wait for the follower, and how often protection was restored. */
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

/** Fails when protection was restored since `$3` was read: the record in the authority store may have been cleared. */
const GRANT_UNPROTECTED = `
update epoch set unprotected_since = clock_timestamp()
where epoch = $1 and region = $2 and closed_at is null and unprotected_since is null and protection_changes = $3`;

/** Lets the epoch's grants skip the wait for the follower. Resolves to false when the row has changed. */
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
 * Restores the wait for the follower. The exclusive epoch lock waits for every transaction that grants without the
 * wait, so a follower that has flushed the resolved LSN has every such grant. Undefined when the epoch is no longer
 * open.
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
