import type { Pool, PoolClient } from 'pg';
import type { Attribution } from '../../audit/attribution';
import type { ExpectedEpoch, InEpoch } from '../../epochs/store';
import type { SeatCount } from '../../granting/core/seats';
import { inEpoch } from '../../platform/postgres/transaction';
import { reservationVerdict } from '../core/reservation-change';
import type { ReservationOrder, ReservationOutcome } from '../store';
import { loadReserved } from './load-reserved';

/** The row lock blocks grants, so the counts do not change while the reservation is decided. */
const LOCK_POOL = `
select id, seats, overdraft, seats_taken as "seatsTaken", seats_held_back as "seatsHeldBack",
  seats_awaited as "seatsUnresolved", seats_over as "seatsOver"
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

/** Sets one reservation; 0 seats removes it. */
export function setReservation(
  database: Pool,
  order: ReservationOrder,
  { actor, reason }: Attribution,
  expected: ExpectedEpoch,
): Promise<InEpoch<ReservationOutcome>> {
  return inEpoch(database, expected, '', async (client) => {
    const locked = await client.query<SeatCount & { id: number }>(LOCK_POOL, [order.licenseId, order.feature]);
    const [pool] = locked.rows;
    if (!pool) return { kind: 'entitlement_not_found' };
    const subject = [pool.id, order.controlRoom ?? null, order.group ?? null];
    const present = await client.query<{ source: string }>(PRESENT, subject);
    // Only a new issue of the license changes a reservation that the license file makes.
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
