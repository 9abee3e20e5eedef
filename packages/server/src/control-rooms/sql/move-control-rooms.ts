import type { PoolClient } from 'pg';
import type { ControlRoomState } from '../../auth/core/caller';
import { standingPolicy, standingVerdict } from '../core/control-room';
import type { Movement } from '../ports';

/** What is to be decided about Control Rooms; whoever reads it holds their rows locked. */
export const STANDING_COLUMNS = `
r.id as "controlRoom", r.license_id as "licenseId", r.name, r.state, r.state_because as because,
  (extract(epoch from clock_timestamp() - r.silent_since) * 1000)::float8 as "silentMs",
  (extract(epoch from clock_timestamp() - r.oversubscribed_since) * 1000)::float8 as "oversubscribedMs",
  l.grace_seconds as "graceSeconds", l.suspend_after_seconds as "suspendAfterSeconds"`;

export interface StandingRow {
  readonly controlRoom: string;
  readonly licenseId: string;
  readonly name: string;
  readonly state: ControlRoomState;
  readonly because: string;
  readonly silentMs: number;
  readonly oversubscribedMs: number | null;
  readonly graceSeconds: number;
  readonly suspendAfterSeconds: number;
}

const MOVE = `
update control_room r set state = moved.state, state_because = moved.because, state_since = clock_timestamp()
from unnest($1::uuid[], $2::text[], $3::text[], $4::text[]) as moved (id, state_before, state, because)
where r.id = moved.id and r.state = moved.state_before`;

/** Moves each of the locked Control Rooms one step, if the table of transitions has one for it. */
export async function moveControlRooms(client: PoolClient, rooms: readonly StandingRow[]): Promise<Movement[]> {
  const movements = rooms.flatMap((room): Movement[] => {
    const { controlRoom, licenseId, name, state: from, oversubscribedMs } = room;
    const facts = { ...room, oversubscribedMs: oversubscribedMs ?? undefined };
    const verdict = standingVerdict(facts, standingPolicy(room));
    if (verdict.kind === 'stays') return [];
    return [{ controlRoom, licenseId, name, from, to: verdict.to, because: verdict.because }];
  });
  if (movements.length === 0) return movements;
  await client.query(`select evergrant_speak_as('license servers', null)`);
  await client.query(MOVE, [
    movements.map(({ controlRoom }) => controlRoom),
    movements.map(({ from }) => from),
    movements.map(({ to }) => to),
    movements.map(({ because }) => because),
  ]);
  return movements;
}
