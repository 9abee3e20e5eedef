/**
 * How the controller runs on AWS. The schedule starts an invocation every minute, and keeps its minutes with a precision
 * of 60 s: what is due at 1:00 starts between 1:00:00 and 1:00:59 (EventBridge Scheduler User Guide, "Schedule
 * types"). So two starts are 1 to 119 s apart. In time of peace it is enough to look every 10 s for most of a minute;
 * once both are down an invocation goes on until the next one has certainly begun, so that no row of samples is torn by
 * a late start. Invocations overlap then: to the record that is one more controller.
 */
export const SCHEDULE = {
  everyMs: 60_000,
  startsWithinMs: 60_000,
  /** Samples of one invocation in time of peace, and while a failover may be near. */
  samplesMax: 5,
  samplesUrgentMax: 12,
  /** A cycle is begun only when so much time is left. */
  cycleMsMax: 12_000,
  /** The function's time-out: as long as two starts may be apart. */
  invocationMsMax: 120_000,
} as const;

/** While a failover may be near: the longest pause from the last sample of one invocation to the first of the next. */
export function pauseMaxMs(sampleEveryMs: number): number {
  const { everyMs, startsWithinMs, invocationMsMax, cycleMsMax } = SCHEDULE;
  const lastSampleAfterMs = Math.min(
    invocationMsMax - cycleMsMax - sampleEveryMs,
    (SCHEDULE.samplesUrgentMax - 1) * sampleEveryMs,
  );
  return everyMs + startsWithinMs - lastSampleAfterMs;
}
