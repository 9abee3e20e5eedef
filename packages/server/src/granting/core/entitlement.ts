import type { ControlRoomState } from '../../auth/core/caller';

export type LicenseKind = 'cloud' | 'guid' | 'redundant';

/** A license's right to seats of a feature of a product. Times are by the database's clock. */
export interface Entitlement {
  readonly poolId: number;
  readonly licenseId: string;
  /** The issue number of the license file. */
  readonly issue: number;
  readonly kind: LicenseKind;
  /** The one Control Room that may take seats, when the kind is `guid`. */
  readonly controlRoom: string | undefined;
  /** The three servers, as region/name, when the kind is `redundant`. */
  readonly servers: readonly string[];
  readonly product: string;
  readonly feature: string;
  readonly seats: number;
  readonly overdraft: number;
  readonly leaseTtlMs: number;
  /** 0 forbids borrowing. */
  readonly borrowSecondsMax: number;
  readonly onDisconnect: 'keep' | 'release';
  /** May be infinite. */
  readonly validFromMs: number;
  readonly validUntilMs: number;
  /** How long a Control Room that reaches no server may continue to work. */
  readonly policy: OutagePolicy;
}

/** Both durations count from the last answer of a server. */
export interface OutagePolicy {
  readonly graceSeconds: number;
  readonly suspendAfterSeconds: number;
}

export interface EntitlementName {
  readonly product: string;
  readonly feature: string;
  /** Needed only when several licenses provide the feature. */
  readonly licenseId?: string | undefined;
}

export type EntitlementVerdict<E extends Entitlement = Entitlement> =
  | { readonly kind: 'found'; readonly entitlement: E }
  | { readonly kind: 'entitlement_not_found' }
  | { readonly kind: 'license_ambiguous'; readonly licenseIds: readonly string[] };

/** Selects the entitlement of a name. Two matching licenses are ambiguous; neither is preferred. */
export function entitlementVerdict<E extends Entitlement>(candidates: readonly E[]): EntitlementVerdict<E> {
  const [only, ...others] = candidates;
  if (!only) return { kind: 'entitlement_not_found' };
  if (others.length === 0) return { kind: 'found', entitlement: only };
  return { kind: 'license_ambiguous', licenseIds: candidates.map((candidate) => candidate.licenseId).sort() };
}

/** The requester of seats. */
export interface Requester {
  /** Undefined when the API token belongs to no Control Room. */
  readonly controlRoom: string | undefined;
  readonly controlRoomState: ControlRoomState;
}

export type TakingRefusal =
  | { readonly kind: 'license_not_valid'; readonly validFromMs: number; readonly validUntilMs: number }
  | { readonly kind: 'wrong_control_room' }
  | { readonly kind: 'control_room_suspended' }
  | { readonly kind: 'control_room_fail_safe' };

/** Returns why this requester may take no new seat, regardless of free seats. Undefined when it may. */
export function takingRefusal(
  entitlement: Entitlement,
  { controlRoom, controlRoomState }: Requester,
  nowMs: number,
): TakingRefusal | undefined {
  const { validFromMs, validUntilMs } = entitlement;
  if (nowMs < validFromMs || nowMs >= validUntilMs) return { kind: 'license_not_valid', validFromMs, validUntilMs };
  if (entitlement.kind === 'guid' && controlRoom !== entitlement.controlRoom) return { kind: 'wrong_control_room' };
  if (controlRoomState === 'suspended') return { kind: 'control_room_suspended' };
  return controlRoomState === 'fail_safe' ? { kind: 'control_room_fail_safe' } : undefined;
}
