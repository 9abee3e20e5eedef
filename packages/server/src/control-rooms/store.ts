import type { Attribution } from '../audit/attribution';
import type { ControlRoomState } from '../auth/core/caller';
import type { ExpectedEpoch, InEpoch } from '../epochs/store';
import type { StateChangeReason } from './core/state-policy';

export interface Registration {
  readonly controlRoom: string;
  /** SHA-256 in hex. */
  readonly licenseKeySha256: string;
  readonly name: string;
  readonly group: string | undefined;
  /** SHA-256 in hex. */
  readonly tokenSha256: string;
}

export type RegistrationVerdict =
  | {
      readonly kind: 'registered' | 'known' | 'recovered';
      readonly licenseId: string;
      readonly tokenName: string;
      readonly graceSeconds: number;
    }
  | {
      readonly kind:
        | 'license_key_unknown'
        | 'license_not_valid'
        | 'license_of_another_control_room'
        | 'control_room_registered'
        | 'token_in_use';
    };

export interface Rotation {
  readonly controlRoom: string;
  readonly licenseKeySha256: string;
  readonly tokenSha256: string;
  /** Undefined leaves the other tokens unchanged. */
  readonly retireOthersAfterSeconds: number | undefined;
}

export type RotationVerdict =
  | { readonly kind: 'created' | 'known'; readonly tokenName: string }
  | { readonly kind: 'license_key_unknown' | 'token_in_use' | 'too_many_tokens' };

export interface Recovery {
  readonly controlRoom: string;
  readonly openForSeconds: number;
}

export type RecoveryVerdict =
  | { readonly kind: 'opened'; readonly recoverableUntil: string; readonly tokensRevoked: number }
  | { readonly kind: 'control_room_not_found' };

export interface GroupAssignment {
  readonly controlRoom: string;
  /** Null removes the Control Room from its group. */
  readonly group: string | null;
}

export type GroupAssignmentVerdict = { readonly kind: 'changed' } | { readonly kind: 'control_room_not_found' };

export interface SeatsInUse {
  readonly product: string;
  readonly feature: string;
  readonly seatsTaken: number;
}

export interface ControlRoomView {
  readonly controlRoom: string;
  readonly licenseId: string;
  readonly name: string;
  readonly group: string | null;
  readonly state: ControlRoomState;
  readonly stateSince: string;
  readonly stateBecause: string;
  readonly registeredAt: string;
  readonly lastHeartbeatAt: string;
  readonly recoverableUntil: string | null;
  readonly use: readonly SeatsInUse[];
}

export interface ControlRoomFilter {
  readonly controlRoom?: string | undefined;
  readonly licenseId?: string | undefined;
  readonly state?: ControlRoomState | undefined;
  readonly group?: string | undefined;
  /** Only Control Rooms whose id sorts after this one. */
  readonly after?: string | undefined;
  readonly limit: number;
}

/** A transition of a Control Room from one state to another. */
export interface StateChange {
  readonly controlRoom: string;
  readonly licenseId: string;
  readonly name: string;
  readonly from: ControlRoomState;
  readonly to: ControlRoomState;
  readonly reason: StateChangeReason;
}

export interface RecordedHeartbeats {
  /** The state of each Control Room after the heartbeat. A Control Room that is not registered is missing. */
  readonly states: ReadonlyMap<string, ControlRoomState>;
  readonly changes: readonly StateChange[];
}

export interface StateSweep {
  /** How long no server had swept before; 0 when sweeping was not interrupted. */
  readonly forgivenSeconds: number;
  readonly changes: readonly StateChange[];
  /** Whether more Control Rooms may be due. */
  readonly more: boolean;
}

/** Control Rooms in the license database. Each call may reject with `DatabaseFailure`. */
export interface ControlRoomStore {
  recordHeartbeats(controlRooms: readonly string[], expected: ExpectedEpoch): Promise<InEpoch<RecordedHeartbeats>>;
  /** Checks all Control Rooms once and changes the states that are due. */
  sweepStates(expected: ExpectedEpoch): Promise<InEpoch<StateSweep>>;
  register(registration: Registration, expected: ExpectedEpoch): Promise<InEpoch<RegistrationVerdict>>;
  rotateToken(rotation: Rotation, attribution: Attribution, expected: ExpectedEpoch): Promise<InEpoch<RotationVerdict>>;
  recover(recovery: Recovery, attribution: Attribution, expected: ExpectedEpoch): Promise<InEpoch<RecoveryVerdict>>;
  assignGroup(
    assignment: GroupAssignment,
    attribution: Attribution,
    expected: ExpectedEpoch,
  ): Promise<InEpoch<GroupAssignmentVerdict>>;
  /** Returns Control Rooms sorted by id, each with the seats it has taken. */
  read(filter: ControlRoomFilter): Promise<ControlRoomView[]>;
}
