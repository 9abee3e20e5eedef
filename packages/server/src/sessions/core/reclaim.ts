/**
 * How a session closed without a close frame: its socket closed, or its client fell silent. Times are milliseconds of the
 * server's monotonic clock.
 */
export interface Closing {
  readonly how: 'vanished' | 'silent';
  readonly atMs: number;
}

export interface ReclaimFacts {
  readonly closing: Closing;
  /** Every recent closing without a close frame, this one included. */
  readonly closings: readonly Closing[];
  readonly sessionsOpen: number;
  readonly granting: boolean;
  readonly nowMs: number;
}

export interface ReclaimPolicy {
  /** How long other closings are awaited. Sockets that one router held close at almost the same time. */
  readonly correlationWindowMs: number;
  /** The same for silent sessions, which are found one by one in a round of pings. */
  readonly silentCorrelationWindowMs: number;
  /** Earlier closings count when they are not older than this. */
  readonly lookBackMs: number;
  readonly massDisconnectMin: number;
  /** Share of the open sessions. */
  readonly massDisconnectShare: number;
}

export const RECLAIM_POLICY: ReclaimPolicy = {
  correlationWindowMs: 300,
  silentCorrelationWindowMs: 15_000,
  lookBackMs: 1_000,
  massDisconnectMin: 3,
  massDisconnectShare: 0.05,
};

export type ReclaimVerdict =
  | { readonly kind: 'wait'; readonly untilMs: number }
  | { readonly kind: 'reclaim' }
  | { readonly kind: 'keep'; readonly reason: 'crowd' | 'not_granting' };

/**
 * Decides whether the leases of a session that closed without a close frame are reclaimed.
 *
 * They are reclaimed when only this client seems to have died. They are kept in a mass disconnect: a dead router is not a
 * thousand crashed clients, and the clients return soon. Two of at most four sessions count as a mass disconnect, because
 * a common cause is more likely than a coincidence. Keeping a lease is always safe, because it expires.
 */
export function reclaimVerdict(facts: ReclaimFacts, policy: ReclaimPolicy): ReclaimVerdict {
  const { closing, closings, sessionsOpen, granting, nowMs } = facts;
  if (!granting) return { kind: 'keep', reason: 'not_granting' };
  const waitsMs = closing.how === 'silent' ? policy.silentCorrelationWindowMs : policy.correlationWindowMs;
  const backMs = closing.how === 'silent' ? policy.silentCorrelationWindowMs : policy.lookBackMs;
  const fromMs = closing.atMs - backMs;
  const untilMs = closing.atMs + waitsMs;
  const together = closings.filter(({ atMs }) => atMs >= fromMs && atMs <= untilMs).length;
  const sessionsBefore = sessionsOpen + together;
  const isMassDisconnect =
    together >= Math.max(policy.massDisconnectMin, Math.ceil(sessionsBefore * policy.massDisconnectShare)) ||
    (together > 1 && together * 2 >= sessionsBefore);
  if (isMassDisconnect) return { kind: 'keep', reason: 'crowd' };
  return nowMs < untilMs ? { kind: 'wait', untilMs } : { kind: 'reclaim' };
}
