import type { Pool } from 'pg';
import type { Registry } from '../registry-ports';
import { createApiToken } from './api-tokens/create-api-token';
import { readApiTokens } from './api-tokens/read-api-tokens';
import { revokeApiToken } from './api-tokens/revoke-api-token';
import { groupControlRoom } from './control-rooms/group-control-room';
import { readControlRooms } from './control-rooms/read-control-rooms';
import { recordHeartbeats } from './control-rooms/record-heartbeats';
import { recoverControlRoom } from './control-rooms/recover-control-room';
import { registerControlRoom } from './control-rooms/register-control-room';
import { rotateRoomToken } from './control-rooms/rotate-room-token';
import { watchControlRooms } from './control-rooms/watch-control-rooms';
import { offlineRegistryOn } from './offline/offline-registry';
import { readReservations } from './reservations/read-reservations';
import { setReservation } from './reservations/set-reservation';

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
