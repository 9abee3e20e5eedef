import type { Bounds } from './state';

/** The explored worlds, the quickest first. One seat needs two leases, two seats need three. */
export const SHAPES: readonly Omit<Bounds, 'tailMax'>[] = [
  { seats: 1, escrow: 1, leases: 2, leaseTtl: 2, authorityLease: 1 },
  { seats: 1, escrow: 2, leases: 2, leaseTtl: 2, authorityLease: 1 },
  { seats: 2, escrow: 1, leases: 3, leaseTtl: 2, authorityLease: 1 },
];
