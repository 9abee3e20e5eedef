import { setTimeout as wait } from 'node:timers/promises';
import { awsFailure, isFault } from '@evergrant/controller/aws/sdk';

/** Twice the time that a new load balancer was seen to need, and well within the function's time-out. */
const RETRY_FOR_MS = 180_000;
const PAUSE_FIRST_MS = 500;
const PAUSE_MAX_MS = 15_000;

/**
 * Errors that end when a new resource is visible everywhere: WAF does not see a new load balancer or web ACL yet, or the
 * permissions of a new role are not effective yet ("eventually consistent", IAM user guide).
 */
const NOT_VISIBLE_YET = ['WAFNonexistentItem', 'AccessDenied'];

export interface RetryClock {
  /** Monotonic. */
  nowMs(): number;
  pause(ms: number): Promise<void>;
}

const PROCESS_CLOCK: RetryClock = {
  nowMs: () => performance.now(),
  pause: async (ms) => {
    await wait(ms);
  },
};

/**
 * Runs the work, and repeats it with growing, jittered pauses while its error is transient. Every seed writes only if there
 * is no value yet, so a repetition does no harm. Throws the error of the last attempt.
 */
export async function withRetry<Done>(work: () => Promise<Done>, clock: RetryClock = PROCESS_CLOCK): Promise<Done> {
  const endMs = clock.nowMs() + RETRY_FOR_MS;
  for (let pauseMs = PAUSE_FIRST_MS; ; pauseMs = Math.min(2 * pauseMs, PAUSE_MAX_MS)) {
    try {
      return await work();
    } catch (failure) {
      const jitteredMs = pauseMs * (0.5 + Math.random() / 2);
      if (!isTransient(failure) || clock.nowMs() + jitteredMs > endMs) throw failure;
      await clock.pause(jitteredMs);
    }
  }
}

/** Only errors of AWS calls are transient. An error that a handler has raised itself is final. */
function isTransient(failure: unknown): boolean {
  if (!(failure instanceof Error) || !('$metadata' in failure)) return false;
  const known = awsFailure('setup', failure);
  return known.retryable || isFault(known, ...NOT_VISIBLE_YET);
}
