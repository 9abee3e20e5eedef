/**
 * How a session closed, when neither side had asked for it: its socket closed without a farewell, or nothing came from
 * it any more. Times are milliseconds of the server's monotonic clock.
 */
export interface Closing {
  readonly how: 'vanished' | 'silent';
  readonly atMs: number;
}

export interface ReclaimFacts {
  readonly closing: Closing;
  /** Every session that closed unasked lately, this one among them. */
  readonly closings: readonly Closing[];
  readonly sessionsOpen: number;
  readonly granting: boolean;
  readonly nowMs: number;
}

export interface ReclaimPolicy {
  /** How long company is waited for: sockets that one router held close within moments of each other. */
  readonly companyMs: number;
  /** The same for sessions that fell silent: they are found one by one, in the course of a round of pings. */
  readonly silentCompanyMs: number;
  /** Closings that came before count as company when they are no older. */
  readonly lookBackMs: number;
  readonly crowdMin: number;
  /** Of the sessions that were open. */
  readonly crowdShare: number;
}

export const RECLAIM_POLICY: ReclaimPolicy = {
  companyMs: 300,
  silentCompanyMs: 15_000,
  lookBackMs: 1_000,
  crowdMin: 3,
  crowdShare: 0.05,
};

export type ReclaimVerdict =
  | { readonly kind: 'wait'; readonly untilMs: number }
  | { readonly kind: 'reclaim' }
  | { readonly kind: 'keep'; readonly because: 'crowd' | 'not_granting' };

/**
 * May the leases of a session that closed unasked be taken back?
 *
 * Yes when its client seems to have died alone. Not when sessions close in company: a dead router is not a thousand
 * crashed clients, and their leases are wanted again in a moment. Two of no more than four are company too: where few
 * are, a coincidence is less likely than a common cause. To keep a lease is always safe, since it expires by itself.
 */
export function reclaimVerdict(facts: ReclaimFacts, policy: ReclaimPolicy): ReclaimVerdict {
  const { closing, closings, sessionsOpen, granting, nowMs } = facts;
  if (!granting) return { kind: 'keep', because: 'not_granting' };
  const waitsMs = closing.how === 'silent' ? policy.silentCompanyMs : policy.companyMs;
  const backMs = closing.how === 'silent' ? policy.silentCompanyMs : policy.lookBackMs;
  const fromMs = closing.atMs - backMs;
  const untilMs = closing.atMs + waitsMs;
  const company = closings.filter(({ atMs }) => atMs >= fromMs && atMs <= untilMs).length;
  const sessionsBefore = sessionsOpen + company;
  const isCrowd =
    company >= Math.max(policy.crowdMin, Math.ceil(sessionsBefore * policy.crowdShare)) ||
    (company > 1 && company * 2 >= sessionsBefore);
  if (isCrowd) return { kind: 'keep', because: 'crowd' };
  return nowMs < untilMs ? { kind: 'wait', untilMs } : { kind: 'reclaim' };
}
