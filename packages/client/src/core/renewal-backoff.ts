import { type BackoffPolicy, backoffMs } from './backoff';

/**
 * Backoff of the renewals of an installation. Leases that are due together are renewed in one round. After a round without
 * a response, the next round sends one probe, and the other renewals only after the probe got a response. So an outage
 * costs one request a round, not one for each lease.
 */
export interface RenewalBackoff {
  /** Consecutive rounds without a response. */
  readonly failures: number;
}

export const NO_FAILURES: RenewalBackoff = { failures: 0 };

/** Number of requests that are sent first. */
export const probeCount = ({ failures }: RenewalBackoff, due: number): number =>
  failures > 0 ? Math.min(1, due) : due;

export interface RoundResult {
  readonly rounds: RenewalBackoff;
  /** Delay before the renewals without a response are repeated. */
  readonly retryInMs: number;
}

export function afterRound(
  before: RenewalBackoff,
  { answered, retryAfterMs, random }: { answered: boolean; retryAfterMs?: number | undefined; random: number },
  backoff: BackoffPolicy,
): RoundResult {
  const failures = answered ? 0 : before.failures + 1;
  return {
    rounds: { failures },
    retryInMs: backoffMs({ failures: Math.max(1, failures), retryAfterMs, random }, backoff),
  };
}
