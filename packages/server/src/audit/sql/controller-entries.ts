import type { Pool } from 'pg';
import type { ExpectedEpoch, InEpoch } from '../../epochs/store';
import { withConnection } from '../../platform/postgres/connection';
import { inEpoch } from '../../platform/postgres/transaction';
import type { ControllerEntry } from '../store';

/** Number of the newest entry of the controller's history that the log has. */
export async function newestControllerEntry(database: Pool): Promise<number> {
  const { rows } = await withConnection(database, (client) =>
    client.query<{ newest: number }>('select newest_entry as newest from audit_controller_history'),
  );
  return rows[0]?.newest ?? 0;
}

/** Adds what is new of these entries, in the epoch: a region that has lost it adds nothing to a log that is over. */
export async function addControllerEntries(
  database: Pool,
  entries: readonly ControllerEntry[],
  expected: ExpectedEpoch,
): Promise<InEpoch<number>> {
  const values = [JSON.stringify(entries.map(({ id, atMs, kind, detail }) => ({ id, at_ms: atMs, kind, detail })))];
  return inEpoch(database, expected, '', async (client) => {
    const { rows } = await client.query<{ added: number }>(
      'select evergrant_audit_controller_history($1) as added',
      values,
    );
    return rows[0]?.added ?? 0;
  });
}
