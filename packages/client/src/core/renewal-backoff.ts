import { type BackoffPolicy, backoffMs } from './backoff';

/**
 * When the leases of an installation ask for their renewal. They ask in rounds: what is due together is asked together.
 * When nobody answered the last round, the next one begins with a single question, and only when that is answered are
 * the others asked: an installation with a thousand leases does not knock a thousand times at a closed door.
 */
export interface RenewalBackoff {
  /** Rounds in a row that nobody answered. */
  readonly failures: number;
}

export const NO_FAILURES: RenewalBackoff = { failures: 0 };

/** How many may ask at first. */
export const probeCount = ({ failures }: RenewalBackoff, due: number): number =>
  failures > 0 ? Math.min(1, due) : due;

export interface RoundResult {
  readonly rounds: RenewalBackoff;
  /** When those that got no answer ask again. */
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
