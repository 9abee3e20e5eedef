import { DEFAULT_POLICY, type Policy } from '@evergrant/controller/core/policy';
import { oneOf } from '@evergrant/core/environment/variables';

/**
 * The two sets of durations: `default`, as in production, and `fast`, for drills.
 */
export type Profile = 'default' | 'fast';
export const PROFILES = ['default', 'fast'] as const satisfies readonly Profile[];

export const PROFILE_VARIABLE = oneOf('EVERGRANT_PROFILE', {
  values: PROFILES,
  default: 'default',
  description: 'the durations to use',
});

export interface ProfileDurations {
  readonly authorityLeaseMs: number;
  readonly renewalEveryMs: number;
  readonly skewMs: number;
  /** Grants stop waiting for a follower that has been disconnected for this long. */
  readonly unprotectedAfterMs: number;
  /** Interval of the controller's cycles during an operation. */
  readonly stepEveryMs: number;
  /** One GET of an application probe. A probe makes three. */
  readonly appProbeTimeoutMs: number;
  /** One database probe, including the connection. */
  readonly sqlProbeTimeoutMs: number;
  /** One call to a router, the edge, the witness, the authority store or the database service. */
  readonly callTimeoutMs: number;
  /** An older result of the witness counts as unknown. */
  readonly witnessAgeMaxMs: number;
  readonly policy: Policy;
}

const FAST_POLICY: Policy = {
  ...DEFAULT_POLICY,
  sampleEveryMs: 500,
  samplesToConfirm: 6,
  sampleGapMaxMs: 5_000,
  authorityLeaseMs: 3_000,
  skewMs: 500,
  followerSilentAfterMs: 2_000,
  holdAlertAfterMs: 6_000,
  stuckAlertAfterMs: 6_000,
  fenceMaxMs: 6_000,
  drainMaxMs: 10_000,
  drainAtRestMs: 1_000,
  followerLostAfterMs: 10_000,
  actWithinMs: 5_000,
  alertResendAfterMs: 5_000,
};

export const PROFILE_DURATIONS: Readonly<Record<Profile, ProfileDurations>> = {
  default: {
    authorityLeaseMs: DEFAULT_POLICY.authorityLeaseMs,
    renewalEveryMs: 5_000,
    skewMs: DEFAULT_POLICY.skewMs,
    unprotectedAfterMs: 60_000,
    stepEveryMs: 1_000,
    appProbeTimeoutMs: 2_000,
    sqlProbeTimeoutMs: 3_000,
    callTimeoutMs: 3_000,
    witnessAgeMaxMs: 15_000,
    policy: DEFAULT_POLICY,
  },
  fast: {
    authorityLeaseMs: FAST_POLICY.authorityLeaseMs,
    renewalEveryMs: 500,
    skewMs: FAST_POLICY.skewMs,
    unprotectedAfterMs: 1_000,
    stepEveryMs: 100,
    appProbeTimeoutMs: 500,
    sqlProbeTimeoutMs: 800,
    callTimeoutMs: 1_000,
    witnessAgeMaxMs: 3_000,
    policy: FAST_POLICY,
  },
};
