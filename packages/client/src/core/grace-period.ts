/** What a holder may do while no server is reached. Durations count from when a server last confirmed the lease. */
export interface OutagePolicy {
  readonly graceMs: number;
  readonly suspendAfterMs: number;
}

export interface LeaseTimes {
  readonly expiresAtMs: number;
  /** When a server last confirmed the lease. */
  readonly confirmedAtMs: number;
}

/**
 * - `held`: its time is not over;
 * - `grace`: its time is over and nobody renewed it: the host goes on working;
 * - `fail_safe`: this has lasted for the license's grace: what is held goes on, nothing is added;
 * - `suspended`: it has lasted too long: the right to work has ended until a server is reached.
 */
export type OutageStage = 'held' | 'grace' | 'fail_safe' | 'suspended';

/** When each standing begins. None begins while the lease's own time lasts. */
function stageStarts(
  { expiresAtMs, confirmedAtMs }: LeaseTimes,
  policy: OutagePolicy,
): readonly (readonly [OutageStage, number])[] {
  const suspendedAtMs = Math.max(expiresAtMs, confirmedAtMs + policy.suspendAfterMs);
  const failSafeAtMs = Math.max(expiresAtMs, confirmedAtMs + policy.graceMs);
  return [
    ['suspended', suspendedAtMs],
    ['fail_safe', failSafeAtMs],
    ['grace', expiresAtMs],
  ];
}

/** The gravest that has begun. */
export function outageStageAt(times: LeaseTimes, policy: OutagePolicy, nowMs: number): OutageStage {
  return stageStarts(times, policy).find(([, atMs]) => nowMs >= atMs)?.[0] ?? 'held';
}

/** When the standing changes next if nobody renews the lease; undefined when it has come to the end. */
export function nextStageAtMs(times: LeaseTimes, policy: OutagePolicy, nowMs: number): number | undefined {
  if (outageStageAt(times, policy, nowMs) === 'suspended') return undefined;
  return Math.min(...stageStarts(times, policy).flatMap(([, atMs]) => (atMs > nowMs ? [atMs] : [])));
}
