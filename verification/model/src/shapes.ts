import type { Bounds } from './state';

/** The worlds that are explored, the quickest first. Two leases are enough for one seat; two seats need a third. */
export const SHAPES: readonly Omit<Bounds, 'tailMax'>[] = [
  { seats: 1, escrow: 1, leases: 2, leaseTtl: 2, authorityLease: 1 },
  { seats: 1, escrow: 2, leases: 2, leaseTtl: 2, authorityLease: 1 },
  { seats: 2, escrow: 1, leases: 3, leaseTtl: 2, authorityLease: 1 },
];
