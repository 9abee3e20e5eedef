/**
 * Time since the last response of a server, across restarts (S7 in docs/architecture.md).
 *
 * The longer of two measurements counts: the wall clock, which may have been set back, and the recorded running time of
 * the installation's processes. So setting the clock back lengthens the grace period at most by the time in which no
 * process ran.
 */
export interface LastContact {
  /** Highest server time seen, in milliseconds since 1970. */
  readonly serverTimeMs: number;
  /** Wall clock of this installation at that time. */
  readonly wallMs: number;
  /** Total running time of its processes since then. */
  readonly ranMs: number;
}

/** Lower bound on the current server time. */
export function serverTimeAtLeastMs({ serverTimeMs, wallMs, ranMs }: LastContact, wallNowMs: number): number {
  return serverTimeMs + Math.max(ranMs, wallNowMs - wallMs);
}

/** A server responded. Its time replaces the estimate, but never goes back. */
export function recordContact(before: LastContact | undefined, serverTimeMs: number, wallMs: number): LastContact {
  return { serverTimeMs: Math.max(serverTimeMs, before?.serverTimeMs ?? serverTimeMs), wallMs, ranMs: 0 };
}

/** Adds running time without a response, for the next write of the state file. */
export function addElapsed(contact: LastContact, ranMs: number): LastContact {
  return { ...contact, ranMs: contact.ranMs + ranMs };
}
