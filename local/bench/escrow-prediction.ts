/**
 * What S2 costs, before it is measured. Grants are committed as ever; the answer about number n waits until the follower
 * has n - escrow, a round trip after that was committed. While a pool grants `perSecond` seats, that was escrow /
 * perSecond seconds ago: so an answer waits for what is left of the round trip, and never longer than one.
 */
export function predictedWaitMs({
  perSecond,
  escrow,
  roundTripMs,
}: {
  readonly perSecond: number;
  readonly escrow: number;
  readonly roundTripMs: number;
}): number {
  return Math.max(0, roundTripMs - (escrow / perSecond) * 1000);
}

/**
 * At most so many pairs a second, when each of so many callers waits for its answer before it goes on: one round trip has
 * room for a wait of every caller, and for the escrow. More callers get more through; what bounds them in the end is
 * what the servers do when nobody waits.
 */
export function predictedPerSecondMax({
  connections,
  escrow,
  roundTripMs,
  unreachedPerSecond,
}: {
  readonly connections: number;
  readonly escrow: number;
  readonly roundTripMs: number;
  readonly unreachedPerSecond: number;
}): number {
  return Math.min(unreachedPerSecond, ((connections + escrow) / roundTripMs) * 1000);
}

/** The escrow from which nobody waits: what is granted during a round trip. */
export function escrowUnreached({ perSecond, roundTripMs }: { perSecond: number; roundTripMs: number }): number {
  return Math.ceil((perSecond * roundTripMs) / 1000);
}
