import type { Pool, PoolClient } from 'pg';
import type { Change, ReservationOrder, ReservationOutcome } from '../../control-rooms/ports';
import type { ExpectedEpoch, InEpoch } from '../../epochs/store';
import type { SeatCount } from '../../granting/core/seats';
import { inEpoch } from '../../platform/postgres/transaction';
import { reservationVerdict } from '../core/reservation-change';
import { loadReserved } from './load-reserved';

/** Grants wait meanwhile: nothing that is counted here changes. */
const LOCK_POOL = `
select id, seats, overdraft, seats_taken as "seatsTaken", seats_held_back as "seatsHeldBack",
  seats_awaited as "seatsAwaited", seats_over as "seatsOver"
from pool where license_id = $1 and feature = $2 order by id for update`;

const PRESENT = `
select source from reservation
where pool_id = $1 and control_room is not distinct from $2 and group_name is not distinct from $3`;

const RESERVE = `
insert into reservation (pool_id, control_room, group_name, seats, source) values ($1, $2, $3, $4, 'administrator')
on conflict (pool_id, control_room, group_name) do update set seats = excluded.seats`;

const UNRESERVE = `
delete from reservation
where pool_id = $1 and control_room is not distinct from $2 and group_name is not distinct from $3`;

/** Makes one reservation what it is to be; 0 seats: there is none. */
export function setReservation(
  database: Pool,
  order: ReservationOrder,
  { actor, reason }: Change,
  expected: ExpectedEpoch,
): Promise<InEpoch<ReservationOutcome>> {
  return inEpoch(database, expected, '', async (client) => {
    const locked = await client.query<SeatCount & { id: number }>(LOCK_POOL, [order.licenseId, order.feature]);
    const [pool] = locked.rows;
    if (!pool) return { kind: 'entitlement_not_found' };
    const subject = [pool.id, order.controlRoom ?? null, order.group ?? null];
    const present = await client.query<{ source: string }>(PRESENT, subject);
    // The vendor's word stands until the vendor's next.
    if (present.rows[0]?.source === 'license_file') return { kind: 'reservation_of_license' };
    await client.query('select evergrant_speak_as($1, $2)', [actor, reason ?? null]);
    return change(client, { pool, subject, seats: order.seats });
  });
}

async function change(
  client: PoolClient,
  { pool, subject, seats }: { pool: SeatCount & { id: number }; subject: readonly unknown[]; seats: number },
): Promise<ReservationOutcome> {
  const before = await loadReserved(client, pool.id, []);
  await client.query('savepoint unchanged');
  if (seats > 0) await client.query(RESERVE, [...subject, seats]);
  else await client.query(UNRESERVE, [...subject]);
  const verdict = reservationVerdict({ pool, before, after: await loadReserved(client, pool.id, []) });
  if (verdict.kind !== 'reserved') await client.query('rollback to savepoint unchanged');
  return verdict;
}
