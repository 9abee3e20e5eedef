/** How patient the controller is. Durations are milliseconds; the defaults are the production ones. */
export interface Policy {
  /** Time between two samples, 100 to 60 000. @default 10 000 */
  readonly sampleEveryMs: number;
  /** Consecutive samples with both application and database down before a failover, 2 or more. @default 12 */
  readonly samplesToConfirm: number;
  /** A longer gap between two samples starts the count again: old samples say nothing about now. @default 35 000 */
  readonly sampleGapMaxMs: number;
  /** How long a renewed proof of authority lasts. @default 30 000 */
  readonly authorityLeaseMs: number;
  /** How far two clocks may be apart. @default 5 000 */
  readonly skewMs: number;
  /** A follower that has heard nothing for longer no longer proves its primary alive. @default 15 000 */
  readonly followerSilentAfterMs: number;
  /** A hold that lasts longer is told to people. @default 120 000 */
  readonly holdAlertAfterMs: number;
  /** A phase that makes no progress for longer is told to people. @default 30 000 */
  readonly stuckAlertAfterMs: number;
  /** A fence that was tried for so long without effect is owed, like one of a region out of reach. @default 30 000 */
  readonly fenceMaxMs: number;
  /** How long the drain of a failover waits for the follower before it goes on with what there is. @default 60 000 */
  readonly drainMaxMs: number;
  /** A follower that has lost its primary and whose replay has not moved for longer has replayed what it can. @default 5 000 */
  readonly drainAtRestMs: number;
  /** A follower that is behind a primary which answers, and has replayed nothing for longer, is lost. @default 120 000 */
  readonly followerLostAfterMs: number;
  /** A follower no further behind keeps up. @default 1 048 576 */
  readonly keepsUpWithinBytes: number;
  /** What a cycle means to do, it does within this time of having looked, or not at all. @default 15 000 */
  readonly actWithinMs: number;
  /** An alert whose sender may have died is sent again after this time. @default 30 000 */
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

/** Two samples closer together than this count as one, so that two controllers, or a replay, do not count double. */
export function sampleSpacingMinMs(policy: Policy): number {
  return 0.8 * policy.sampleEveryMs;
}
