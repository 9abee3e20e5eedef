/**
 * How much time has passed while nobody was reached, told across restarts (S7 in docs/architecture.md).
 *
 * Two witnesses are asked and the longer time is believed: this installation's wall clock, which may have been turned
 * back, and the time that its processes have run since, which was written down while they ran. So turning the clock
 * back never lengthens grace by more than the time in which nothing ran.
 */
export interface LastContact {
  /** The highest time of the servers that was seen, in milliseconds since 1970. */
  readonly serverTimeMs: number;
  /** What this installation's wall clock said then. */
  readonly wallMs: number;
  /** How long its processes have run since, together. */
  readonly ranMs: number;
}

/** What the servers' clock must at least say now. */
export function serverTimeAtLeastMs({ serverTimeMs, wallMs, ranMs }: LastContact, wallNowMs: number): number {
  return serverTimeMs + Math.max(ranMs, wallNowMs - wallMs);
}

/** A server was heard. Its time is believed over everything that was thought before, but never goes back. */
export function recordContact(before: LastContact | undefined, serverTimeMs: number, wallMs: number): LastContact {
  return { serverTimeMs: Math.max(serverTimeMs, before?.serverTimeMs ?? serverTimeMs), wallMs, ranMs: 0 };
}

/** To be written down now and then while nobody is heard. */
export function addElapsed(contact: LastContact, ranMs: number): LastContact {
  return { ...contact, ranMs: contact.ranMs + ranMs };
}
