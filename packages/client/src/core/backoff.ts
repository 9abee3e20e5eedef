/** Limits of the delay between attempts. */
export interface BackoffPolicy {
  readonly baseMs: number;
  readonly capMs: number;
}

/** Longer values of `Retry-After` are cut to this. */
const RETRY_AFTER_MS_MAX = 60_000;

/**
 * Exponential backoff with full jitter, so that clients that lost their server together do not return together.
 * `Retry-After` is a lower bound; jitter is added to it.
 *
 * @param failures number of consecutive failed attempts, at least 1
 * @param random in [0, 1)
 */
export function backoffMs(
  { failures, retryAfterMs, random }: { failures: number; retryAfterMs?: number | undefined; random: number },
  policy: BackoffPolicy,
): number {
  const ceilingMs = Math.min(policy.capMs, policy.baseMs * 2 ** Math.min(failures, 30));
  const floorMs = Math.min(retryAfterMs ?? 0, RETRY_AFTER_MS_MAX);
  return floorMs + random * ceilingMs;
}
