import type { Pool } from 'pg';
import { createApiToken } from '../../api-tokens/sql/create-api-token';
import { readApiTokens } from '../../api-tokens/sql/read-api-tokens';
import { revokeApiToken } from '../../api-tokens/sql/revoke-api-token';
import { readReservations } from '../../reservations/sql/read-reservations';
import { setReservation } from '../../reservations/sql/set-reservation';
import type { Registry } from '../ports';
import { groupControlRoom } from './group-control-room';
import { offlineRegistryOn } from './offline/offline-registry';
import { readControlRooms } from './read-control-rooms';
import { recordHeartbeats } from './record-heartbeats';
import { recoverControlRoom } from './recover-control-room';
import { registerControlRoom } from './register-control-room';
import { rotateRoomToken } from './rotate-room-token';
import { watchControlRooms } from './watch-control-rooms';

/** The registry on PostgreSQL, as a port. @param patient connections that may wait longer than a grant does. */
export function registryOn(pool: Pool, patient: Pool): Registry {
  return {
    offline: offlineRegistryOn(pool),
    recordHeartbeats: (controlRooms, expected) => recordHeartbeats(pool, controlRooms, expected),
    watch: (expected) => watchControlRooms(patient, expected),
    register: (registration, expected) => registerControlRoom(pool, registration, expected),
    rotateToken: (rotation, change, expected) => rotateRoomToken(pool, rotation, change, expected),
    recover: (recovery, change, expected) => recoverControlRoom(pool, recovery, change, expected),
    setGroup: (move, change, expected) => groupControlRoom(pool, move, change, expected),
    setReservation: (order, change, expected) => setReservation(pool, order, change, expected),
    readReservations: (licenseId) => readReservations(pool, licenseId),
    createToken: (token, change, expected) => createApiToken(pool, token, change, expected),
    revokeToken: (name, change, expected) => revokeApiToken(pool, name, change, expected),
    readTokens: (filter) => readApiTokens(pool, filter),
    readControlRooms: (filter) => readControlRooms(pool, filter),
  };
}
