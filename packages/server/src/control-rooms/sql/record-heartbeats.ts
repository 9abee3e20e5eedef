import type { Pool } from 'pg';
import type { ExpectedEpoch, InEpoch } from '../../epochs/store';
import { inEpoch } from '../../platform/postgres/transaction';
import type { HeardRooms } from '../ports';
import { moveControlRooms, STANDING_COLUMNS, type StandingRow } from './move-control-rooms';

const RECORD = `
with heard as materialized (
  select id from control_room where id = any($1::uuid[]) order by id for update
)
update control_room r set last_heartbeat_at = clock_timestamp(),
  silent_since = greatest(silent_since, clock_timestamp())
from heard where r.id = heard.id
returning r.id, r.state`;

const STANDING = `
select ${STANDING_COLUMNS} from control_room r join license l on l.id = r.license_id where r.id = any($1::uuid[])`;

/** Writes down that Control Rooms are alive; one that was given up for its silence is active again with that. */
export async function recordHeartbeats(
  database: Pool,
  controlRooms: readonly string[],
  expected: ExpectedEpoch,
): Promise<InEpoch<HeardRooms>> {
  return inEpoch(database, expected, '', async (client) => {
    const heard = await client.query<{ id: string; state: StandingRow['state'] }>({
      name: 'record-heartbeats',
      text: RECORD,
      values: [controlRooms],
    });
    const states = new Map(heard.rows.map(({ id, state }) => [id, state]));
    const resting = heard.rows.filter(({ state }) => state !== 'active').map(({ id }) => id);
    if (resting.length === 0) return { states, movements: [] };
    const standing = await client.query<StandingRow>(STANDING, [resting]);
    const movements = await moveControlRooms(client, standing.rows);
    for (const { controlRoom, to } of movements) states.set(controlRoom, to);
    return { states, movements };
  });
}
