import type { Pool } from 'pg';
import type { ExpectedEpoch, InEpoch } from '../../epochs/store';
import { withConnection } from '../../platform/postgres/connection';
import { inEpoch } from '../../platform/postgres/transaction';
import type { ControllerEntry } from '../store';

/** Returns the id of the newest controller entry in the log. */
export async function newestControllerEntry(database: Pool): Promise<number> {
  const { rows } = await withConnection(database, (client) =>
    client.query<{ newest: number }>('select newest_entry as newest from audit_controller_history'),
  );
  return rows[0]?.newest ?? 0;
}

/** Adds new entries in the expected epoch. A region that has lost its epoch adds nothing to its abandoned log. */
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
