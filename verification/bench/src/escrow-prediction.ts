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
 * Pairs a second of so many callers, each of whom waits for its answer before it goes on. A pair that waits takes what it
 * took when nobody waited, and the wait: connections = perSecond * (connections / unreachedPerSecond + wait). With the
 * wait of above that is solved for perSecond. It is never more than when nobody waits, and never more than
 * (connections + escrow) a round trip; more callers get more through.
 */
export function predictedPerSecond({
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
  const pairMs = (connections / unreachedPerSecond) * 1000;
  return Math.min(unreachedPerSecond, ((connections + escrow) / (pairMs + roundTripMs)) * 1000);
}

/** The escrow from which nobody waits: what is granted during a round trip. */
export function escrowUnreached({ perSecond, roundTripMs }: { perSecond: number; roundTripMs: number }): number {
  return Math.ceil((perSecond * roundTripMs) / 1000);
}
