import type { PoolClient } from 'pg';
import type { ControlRoomState } from '../../auth/core/caller';
import { statePolicy, stateVerdict } from '../core/state-policy';
import type { StateChange } from '../store';

/** The columns that the verdict on a Control Room needs. The caller holds its row locked. */
export const STATE_COLUMNS = `
r.id as "controlRoom", r.license_id as "licenseId", r.name, r.state, r.state_because as "stateReason",
  (extract(epoch from clock_timestamp() - r.silent_since) * 1000)::float8 as "silentMs",
  (extract(epoch from clock_timestamp() - r.oversubscribed_since) * 1000)::float8 as "oversubscribedMs",
  l.grace_seconds as "graceSeconds", l.suspend_after_seconds as "suspendAfterSeconds"`;

export interface StateRow {
  readonly controlRoom: string;
  readonly licenseId: string;
  readonly name: string;
  readonly state: ControlRoomState;
  readonly stateReason: string;
  readonly silentMs: number;
  readonly oversubscribedMs: number | null;
  readonly graceSeconds: number;
  readonly suspendAfterSeconds: number;
}

const CHANGE_STATES = `
update control_room r set state = changed.state, state_because = changed.reason, state_since = clock_timestamp()
from unnest($1::uuid[], $2::text[], $3::text[], $4::text[]) as changed (id, state_before, state, reason)
where r.id = changed.id and r.state = changed.state_before`;

/** Moves each of the locked Control Rooms at most one step along the table of transitions. */
export async function changeStates(client: PoolClient, rooms: readonly StateRow[]): Promise<StateChange[]> {
  const changes = rooms.flatMap((room): StateChange[] => {
    const { controlRoom, licenseId, name, state: from, oversubscribedMs } = room;
    const facts = { ...room, oversubscribedMs: oversubscribedMs ?? undefined };
    const verdict = stateVerdict(facts, statePolicy(room));
    if (verdict.kind === 'unchanged') return [];
    return [{ controlRoom, licenseId, name, from, to: verdict.to, reason: verdict.reason }];
  });
  if (changes.length === 0) return changes;
  await client.query(`select evergrant_speak_as('license servers', null)`);
  await client.query(CHANGE_STATES, [
    changes.map(({ controlRoom }) => controlRoom),
    changes.map(({ from }) => from),
    changes.map(({ to }) => to),
    changes.map(({ reason }) => reason),
  ]);
  return changes;
}
