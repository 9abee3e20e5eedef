/**
 * The schedule of the controller on AWS. It starts an invocation every minute, with a precision of 60 s: an invocation
 * due at 1:00 starts between 1:00:00 and 1:00:59 (EventBridge Scheduler User Guide, "Schedule types"). So two starts
 * are 1 to 119 s apart. During normal operation an invocation samples every 10 s for most of a minute. While both
 * application and database are down, an invocation continues until the next one has certainly started, so a late start
 * leaves no gap in the samples. The invocations then overlap, and the record treats the overlap as one more controller.
 */
export const SCHEDULE = {
  everyMs: 60_000,
  startsWithinMs: 60_000,
  /** Samples of one invocation during normal operation, and while a failover may be near. */
  samplesMax: 5,
  samplesUrgentMax: 12,
  /** A cycle starts only with at least this much remaining time. */
  cycleMsMax: 12_000,
  /** The function's timeout: the longest time between two starts. */
  invocationMsMax: 120_000,
} as const;

/** While a failover may be near: the longest time from the last sample of one invocation to the first of the next. */
export function pauseMaxMs(sampleEveryMs: number): number {
  const { everyMs, startsWithinMs, invocationMsMax, cycleMsMax } = SCHEDULE;
  const lastSampleAfterMs = Math.min(
    invocationMsMax - cycleMsMax - sampleEveryMs,
    (SCHEDULE.samplesUrgentMax - 1) * sampleEveryMs,
  );
  return everyMs + startsWithinMs - lastSampleAfterMs;
}
