/** Limits of work without a server. Durations start at the last confirmation of the lease by a server. */
export interface GracePeriodPolicy {
  readonly graceMs: number;
  readonly suspendAfterMs: number;
}

export interface LeaseTimes {
  readonly expiresAtMs: number;
  /** Time of the last confirmation by a server. */
  readonly confirmedAtMs: number;
}

/**
 * - `held`: the lease has not expired;
 * - `grace`: the lease expired without renewal; the application continues to work;
 * - `fail_safe`: the license's grace period is over; held seats stay usable, no seats may be added;
 * - `suspended`: the license's suspension time is reached; the application stops until a server renews the lease.
 */
export type OutageStage = 'held' | 'grace' | 'fail_safe' | 'suspended';

/** Start of each stage. No stage starts before the lease expires. */
function stageStarts(
  { expiresAtMs, confirmedAtMs }: LeaseTimes,
  policy: GracePeriodPolicy,
): readonly (readonly [OutageStage, number])[] {
  const suspendedAtMs = Math.max(expiresAtMs, confirmedAtMs + policy.suspendAfterMs);
  const failSafeAtMs = Math.max(expiresAtMs, confirmedAtMs + policy.graceMs);
  return [
    ['suspended', suspendedAtMs],
    ['fail_safe', failSafeAtMs],
    ['grace', expiresAtMs],
  ];
}

/** Returns the most severe stage that has started. */
export function outageStageAt(times: LeaseTimes, policy: GracePeriodPolicy, nowMs: number): OutageStage {
  return stageStarts(times, policy).find(([, atMs]) => nowMs >= atMs)?.[0] ?? 'held';
}

/** Start of the next stage if the lease is not renewed; undefined in the last stage. */
export function nextStageAtMs(times: LeaseTimes, policy: GracePeriodPolicy, nowMs: number): number | undefined {
  if (outageStageAt(times, policy, nowMs) === 'suspended') return undefined;
  return Math.min(...stageStarts(times, policy).flatMap(([, atMs]) => (atMs > nowMs ? [atMs] : [])));
}
