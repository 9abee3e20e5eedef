import type { ControlRoomState } from '../../auth/core/caller';
import { isProven, type Lease, renewedUntilMs, validityOf } from './lease';

/** A lease as read under its row lock, with the database's clock at that moment and the lease's terms. */
export interface LockedLease {
  readonly lease: Lease;
  readonly nowMs: number;
  readonly leaseTtlMs: number;
  readonly validFromMs: number;
  readonly validUntilMs: number;
}

export interface RenewalRequest {
  readonly leaseId: string;
  /** Set when the caller may renew only the leases of one Control Room. */
  readonly controlRoom: string | undefined;
  readonly controlRoomState: ControlRoomState;
  /** The expiry of the presented lease token, if it was verified. */
  readonly tokenUntilMs?: number | undefined;
}

export type RenewalVerdict =
  | { readonly kind: 'renewed'; readonly lease: Lease }
  | { readonly kind: 'lease_expired' }
  | { readonly kind: 'lease_released' }
  | { readonly kind: 'license_not_valid'; readonly validFromMs: number; readonly validUntilMs: number }
  | { readonly kind: 'control_room_suspended' }
  /**
   * The lease may have ended in a lost region. A token that expires after that region's last decision is required (S4).
   */
  | { readonly kind: 'in_doubt' }
  /** Also returned for the lease of another Control Room. */
  | { readonly kind: 'lease_not_found' }
  | { readonly kind: 'unknown' };

/** Decides a heartbeat. Only a live lease is renewed; an ended lease stays ended. */
export function renewalVerdict(
  request: RenewalRequest,
  locked: LockedLease | undefined,
  epoch: number,
): RenewalVerdict {
  if (!locked) return { kind: 'unknown' };
  const { lease, nowMs, validFromMs, validUntilMs } = locked;
  if (request.controlRoom !== undefined && lease.controlRoom !== request.controlRoom) {
    return { kind: 'lease_not_found' };
  }
  const validity = validityOf(lease, nowMs);
  if (validity !== 'live') return { kind: validity };
  if (!isProven(lease, request.tokenUntilMs)) return { kind: 'in_doubt' };
  if (request.controlRoomState === 'suspended') return { kind: 'control_room_suspended' };
  if (nowMs >= validUntilMs) return { kind: 'license_not_valid', validFromMs, validUntilMs };
  return { kind: 'renewed', lease: { ...lease, epoch, expiresAtMs: renewedUntilMs(lease, nowMs, locked) } };
}
