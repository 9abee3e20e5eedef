/**
 * The registry of Control Rooms and API tokens, as the duties need it. Like every port: expected outcomes are return
 * values, and a call may reject with `DatabaseFailure`.
 */
import type { ControlRoomState, Scope } from '../auth/core/caller';
import type { ExpectedEpoch, InEpoch } from '../epochs/store';
import type { ReservationVerdict } from '../reservations/core/reservation-change';
import type { Cause, Relief } from './core/control-room';

/** In whose name, and why: what an audit wants to know of a change. */
export interface Change {
  /** The name of an API token. */
  readonly actor: string;
  readonly reason?: string | undefined;
}

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
  /** Undefined: the other tokens stay as they are. */
  readonly retireOthersAfterSeconds: number | undefined;
}

export type RotationVerdict =
  | { readonly kind: 'created' | 'known'; readonly tokenName: string }
  | { readonly kind: 'license_key_unknown' | 'token_in_use' | 'too_many_tokens' };

export interface NewApiToken {
  readonly name: string;
  readonly tokenSha256: string;
  readonly scopes: readonly Scope[];
  /** ISO 8601, or undefined: it does not expire. */
  readonly expiresAt: string | undefined;
  readonly controlRoom: string | undefined;
}

export interface ApiTokenView {
  readonly name: string;
  readonly scopes: readonly string[];
  readonly controlRoom: string | null;
  readonly createdAt: string;
  readonly createdBy: string | null;
  readonly expiresAt: string | null;
  readonly revokedAt: string | null;
  readonly revokedBy: string | null;
  readonly revokedBecause: string | null;
}

export interface ApiTokenFilter {
  readonly controlRoom?: string | undefined;
  /** Only tokens whose name comes after this one. */
  readonly after?: string | undefined;
  readonly limit: number;
}

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
  /** Only Control Rooms whose id comes after this one. */
  readonly after?: string | undefined;
  readonly limit: number;
}

export interface Recovery {
  readonly controlRoom: string;
  readonly openForSeconds: number;
}

export type RecoveryVerdict =
  | { readonly kind: 'opened'; readonly recoverableUntil: string; readonly tokensRevoked: number }
  | { readonly kind: 'control_room_not_found' };

/** Seats of an entitlement for one Control Room or one group: exactly one of the two is given. */
export interface ReservationOrder {
  readonly licenseId: string;
  readonly feature: string;
  readonly controlRoom: string | undefined;
  readonly group: string | undefined;
  /** 0: none. */
  readonly seats: number;
}

export type ReservationOutcome =
  | ReservationVerdict
  | { readonly kind: 'entitlement_not_found' }
  /** The license itself makes this reservation. */
  | { readonly kind: 'reservation_of_license' };

export interface ReservationView {
  readonly licenseId: string;
  readonly product: string;
  readonly feature: string;
  readonly controlRoom: string | null;
  readonly group: string | null;
  readonly seats: number;
  readonly source: 'license_file' | 'administrator';
}

export interface OfflineOrder {
  readonly controlRoom: string;
  readonly name: string;
  readonly nonce: string;
  /** SHA-256 in hex. */
  readonly requestSha256: string;
}

export type OfflineBeginning =
  | {
      readonly kind: 'begun';
      readonly attempt: number;
      readonly licenseId: string;
      readonly product: string;
      readonly state: ControlRoomState;
    }
  | { readonly kind: 'answered'; readonly response: string }
  | { readonly kind: 'offline_nonce_reused' | 'control_room_not_found' | 'license_ambiguous' | 'license_not_valid' };

/** One try at a request; another one began meanwhile when it is found to be no longer the newest. */
export interface OfflineAttempt {
  readonly nonce: string;
  readonly attempt: number;
}

export interface OfflineAnswer extends OfflineAttempt {
  /** As it was signed. */
  readonly response: string;
  readonly lentUntilMs: number;
}

export interface OfflineExchange {
  readonly controlRoom: string;
  readonly licenseId: string;
  readonly response: string;
  readonly receipt: string | undefined;
}

/** What was lent to offline Control Rooms by files. */
export interface OfflineRegistry {
  begin(order: OfflineOrder, change: Change, expected: ExpectedEpoch): Promise<InEpoch<OfflineBeginning>>;
  /** Resolves to whether the try was the newest, and unanswered: then it is not any more. */
  giveUp(attempt: OfflineAttempt, expected: ExpectedEpoch): Promise<InEpoch<boolean>>;
  /** Resolves to the response that stands, which is another one's if that was faster; undefined: given up meanwhile. */
  answer(answer: OfflineAnswer, change: Change, expected: ExpectedEpoch): Promise<InEpoch<string | undefined>>;
  find(nonce: string): Promise<OfflineExchange | undefined>;
  /** Resolves to the receipt that stands. */
  close(
    closing: { readonly nonce: string; readonly receipt: string },
    change: Change,
    expected: ExpectedEpoch,
  ): Promise<InEpoch<string>>;
}

/** A step of a Control Room from one state into another. */
export interface Movement {
  readonly controlRoom: string;
  readonly licenseId: string;
  readonly name: string;
  readonly from: ControlRoomState;
  readonly to: ControlRoomState;
  readonly because: Cause | Relief;
}

export interface HeardRooms {
  /** The state of each after it was heard; one that is not registered is missing. */
  readonly states: ReadonlyMap<string, ControlRoomState>;
  readonly movements: readonly Movement[];
}

export interface Watch {
  /** How long nobody had watched before; 0 when the watch was not interrupted. */
  readonly forgivenSeconds: number;
  readonly movements: readonly Movement[];
  readonly more: boolean;
}

export interface Registry {
  readonly offline: OfflineRegistry;
  recordHeartbeats(controlRooms: readonly string[], expected: ExpectedEpoch): Promise<InEpoch<HeardRooms>>;
  /** Looks after all Control Rooms once. */
  watch(expected: ExpectedEpoch): Promise<InEpoch<Watch>>;
  register(registration: Registration, expected: ExpectedEpoch): Promise<InEpoch<RegistrationVerdict>>;
  rotateToken(rotation: Rotation, change: Change, expected: ExpectedEpoch): Promise<InEpoch<RotationVerdict>>;
  recover(recovery: Recovery, change: Change, expected: ExpectedEpoch): Promise<InEpoch<RecoveryVerdict>>;
  setGroup(
    move: { readonly controlRoom: string; readonly group: string | null },
    change: Change,
    expected: ExpectedEpoch,
  ): Promise<InEpoch<{ readonly kind: 'changed' | 'control_room_not_found' }>>;
  setReservation(
    order: ReservationOrder,
    change: Change,
    expected: ExpectedEpoch,
  ): Promise<InEpoch<ReservationOutcome>>;
  /** All, or those of one license. */
  readReservations(licenseId: string | undefined): Promise<ReservationView[]>;
  createToken(
    token: NewApiToken,
    change: Change,
    expected: ExpectedEpoch,
  ): Promise<
    InEpoch<{ readonly kind: 'created' | 'known' | 'api_token_exists' | 'token_in_use' | 'control_room_not_found' }>
  >;
  revokeToken(
    name: string,
    change: Change,
    expected: ExpectedEpoch,
  ): Promise<InEpoch<{ readonly kind: 'revoked' | 'already_revoked' | 'api_token_not_found' | 'last_admin_token' }>>;
  /** In the order of their names. */
  readTokens(filter: ApiTokenFilter): Promise<ApiTokenView[]>;
  /** In the order of their ids, with the seats that each has taken. */
  readControlRooms(filter: ControlRoomFilter): Promise<ControlRoomView[]>;
}
