/** Durations and thresholds of the controller. Durations are milliseconds; the defaults are the production values. */
export interface Policy {
  /** Time between two samples, 100 to 60 000. @default 10 000 */
  readonly sampleEveryMs: number;
  /** Consecutive samples with both application and database down before a failover, 2 or more. @default 12 */
  readonly samplesToConfirm: number;
  /** A longer gap between two samples restarts the count: old samples are no evidence of the present state. @default 35 000 */
  readonly sampleGapMaxMs: number;
  /** Validity of a renewed proof of authority. @default 30 000 */
  readonly authorityLeaseMs: number;
  /** Maximum difference of two clocks. @default 5 000 */
  readonly skewMs: number;
  /** A follower that has received nothing for longer is no proof that its primary is alive. @default 15 000 */
  readonly followerSilentAfterMs: number;
  /** A hold that lasts longer raises an alert. @default 120 000 */
  readonly holdAlertAfterMs: number;
  /** A phase that makes no progress for longer raises an alert. @default 30 000 */
  readonly stuckAlertAfterMs: number;
  /** A fence that was tried for so long without effect becomes pending, like the one of an unreachable region. @default 30 000 */
  readonly fenceMaxMs: number;
  /** Maximum duration of a failover's drain. It then continues with the data that the follower has. @default 60 000 */
  readonly drainMaxMs: number;
  /** A follower without a primary whose replay has not moved for longer has replayed all that it can. @default 5 000 */
  readonly drainAtRestMs: number;
  /** A follower that is behind a primary that answers, and has replayed nothing for longer, is lost. @default 120 000 */
  readonly followerLostAfterMs: number;
  /** A follower that is no further behind has caught up. @default 1 048 576 */
  readonly keepsUpWithinBytes: number;
  /** A cycle executes its effects within this time of its observation, or not at all. @default 15 000 */
  readonly actWithinMs: number;
  /** An alert whose controller may have died is sent by another one after this time. @default 30 000 */
  readonly alertResendAfterMs: number;
}

export const DEFAULT_POLICY: Policy = {
  sampleEveryMs: 10_000,
  samplesToConfirm: 12,
  sampleGapMaxMs: 35_000,
  authorityLeaseMs: 30_000,
  skewMs: 5_000,
  followerSilentAfterMs: 15_000,
  holdAlertAfterMs: 120_000,
  stuckAlertAfterMs: 30_000,
  fenceMaxMs: 30_000,
  drainMaxMs: 60_000,
  drainAtRestMs: 5_000,
  followerLostAfterMs: 120_000,
  keepsUpWithinBytes: 1_048_576,
  actWithinMs: 15_000,
  alertResendAfterMs: 30_000,
};

/** Two samples closer together than this count as one, so that two controllers, or a replay, do not count twice. */
export function sampleSpacingMinMs(policy: Policy): number {
  return 0.8 * policy.sampleEveryMs;
}
