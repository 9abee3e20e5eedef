import type { Pool } from 'pg';
import type { ControlRoomStore } from '../store';
import { assignGroup } from './assign-group';
import { readControlRooms } from './read-control-rooms';
import { recordHeartbeats } from './record-heartbeats';
import { recoverControlRoom } from './recover-control-room';
import { registerControlRoom } from './register-control-room';
import { rotateRoomToken } from './rotate-room-token';
import { sweepStates } from './sweep-states';

/** @param surveying connections whose statements may take longer than a grant */
export function controlRoomStoreOn({ granting, surveying }: { granting: Pool; surveying: Pool }): ControlRoomStore {
  return {
    recordHeartbeats: (controlRooms, expected) => recordHeartbeats(granting, controlRooms, expected),
    sweepStates: (expected) => sweepStates(surveying, expected),
    register: (registration, expected) => registerControlRoom(granting, registration, expected),
    rotateToken: (rotation, attribution, expected) => rotateRoomToken(granting, rotation, attribution, expected),
    recover: (recovery, attribution, expected) => recoverControlRoom(granting, recovery, attribution, expected),
    assignGroup: (assignment, attribution, expected) => assignGroup(granting, assignment, attribution, expected),
    read: (filter) => readControlRooms(granting, filter),
  };
}
