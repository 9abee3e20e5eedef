/** How long to wait before the next try. Pure: the random number is an argument. */
export interface BackoffPolicy {
  readonly baseMs: number;
  readonly capMs: number;
}

/** However long a server asks to be left alone, it is asked again after this. */
const RETRY_AFTER_MS_MAX = 60_000;

/**
 * Exponential with full jitter, so that clients that lost their server together do not come back together. A server's
 * `Retry-After` is a floor; the jitter comes on top of it, never below.
 *
 * @param failures how many tries in a row have failed, at least 1.
 * @param random in [0, 1).
 */
export function backoffMs(
  { failures, retryAfterMs, random }: { failures: number; retryAfterMs?: number | undefined; random: number },
  policy: BackoffPolicy,
): number {
  const ceilingMs = Math.min(policy.capMs, policy.baseMs * 2 ** Math.min(failures, 30));
  const floorMs = Math.min(retryAfterMs ?? 0, RETRY_AFTER_MS_MAX);
  return floorMs + random * ceilingMs;
}
