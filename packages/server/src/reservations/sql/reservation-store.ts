import type { Pool } from 'pg';
import type { ReservationStore } from '../store';
import { readReservations } from './read-reservations';
import { setReservation } from './set-reservation';

export function reservationStoreOn(pool: Pool): ReservationStore {
  return {
    set: (order, attribution, expected) => setReservation(pool, order, attribution, expected),
    read: (licenseId) => readReservations(pool, licenseId),
  };
}
