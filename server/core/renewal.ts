import { type Lease, renewedUntilMs, standingOf } from './lease';

/** A lease as read under its row lock, with the database's clock at that moment and its pool's TTL. */
export interface LockedLease {
  readonly lease: Lease;
  readonly nowMs: number;
  readonly leaseTtlMs: number;
}

export type RenewalVerdict =
  | { readonly kind: 'renewed'; readonly lease: Lease }
  | { readonly kind: 'lease_expired' }
  | { readonly kind: 'lease_released' }
  | { readonly kind: 'unknown' };

/** A heartbeat renews a live lease and only that: what has ended stays ended. */
export function renewalVerdict(locked: LockedLease | undefined, epoch: number): RenewalVerdict {
  if (!locked) return { kind: 'unknown' };
  const { lease, nowMs, leaseTtlMs } = locked;
  const standing = standingOf(lease, nowMs);
  if (standing !== 'live') return { kind: standing };
  return { kind: 'renewed', lease: { ...lease, epoch, expiresAtMs: renewedUntilMs(lease, nowMs, leaseTtlMs) } };
}
