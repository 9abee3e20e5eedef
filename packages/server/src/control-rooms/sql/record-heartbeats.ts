import type { Pool } from 'pg';
import type { ExpectedEpoch, InEpoch } from '../../epochs/store';
import { inEpoch } from '../../platform/postgres/transaction';
import type { RecordedHeartbeats } from '../store';
import { changeStates, STATE_COLUMNS, type StateRow } from './change-states';

const RECORD = `
with heard as materialized (
  select id from control_room where id = any($1::uuid[]) order by id for update
)
update control_room r set last_heartbeat_at = clock_timestamp(),
  silent_since = greatest(silent_since, clock_timestamp())
from heard where r.id = heard.id
returning r.id, r.state`;

const READ_STATES = `
select ${STATE_COLUMNS} from control_room r join license l on l.id = r.license_id where r.id = any($1::uuid[])`;

/** Records heartbeats. A Control Room that is only silent becomes active again in the same transaction. */
export async function recordHeartbeats(
  database: Pool,
  controlRooms: readonly string[],
  expected: ExpectedEpoch,
): Promise<InEpoch<RecordedHeartbeats>> {
  return inEpoch(database, expected, '', async (client) => {
    const recorded = await client.query<{ id: string; state: StateRow['state'] }>({
      name: 'record-heartbeats',
      text: RECORD,
      values: [controlRooms],
    });
    const states = new Map(recorded.rows.map(({ id, state }) => [id, state]));
    const inactive = recorded.rows.filter(({ state }) => state !== 'active').map(({ id }) => id);
    if (inactive.length === 0) return { states, changes: [] };
    const { rows } = await client.query<StateRow>(READ_STATES, [inactive]);
    const changes = await changeStates(client, rows);
    for (const { controlRoom, to } of changes) states.set(controlRoom, to);
    return { states, changes };
  });
}
