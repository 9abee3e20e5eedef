export const LEASE_TTL_SECONDS_DEFAULT = 600;

/** A tenth of the seats, at least one (S2 in docs/architecture.md). */
export function escrowDefault(seats: number): number {
  return Math.min(seats, Math.max(1, Math.ceil(seats / 10)));
}
