import { setTimeout as wait } from 'node:timers/promises';
import { awsFailure, isFault } from '@evergrant/controller/aws/sdk';

/** As long as a new load balancer has been seen to need, twice over; well within the function's time-out. */
const PATIENCE_MS = 180_000;
const PAUSE_FIRST_MS = 500;
const PAUSE_MAX_MS = 15_000;

/**
 * What passes by itself once everybody knows what CloudFormation has just made: a load balancer or a web ACL that WAF does
 * not see yet, a role whose rights have not arrived everywhere ("eventually consistent", IAM user guide).
 */
const NOT_KNOWN_YET = ['WAFNonexistentItem', 'AccessDenied'];

export interface PatienceClock {
  /** Monotonic. */
  nowMs(): number;
  pause(ms: number): Promise<void>;
}

const PROCESS_CLOCK: PatienceClock = {
  nowMs: () => performance.now(),
  pause: async (ms) => {
    await wait(ms);
  },
};

/**
 * Does the work, and does it again, in growing and jittered pauses, while AWS is busy or does not know yet what is new.
 * Every seed is "if there is none", so that once more does no harm. Throws what the last try has thrown.
 */
export async function patiently<Done>(work: () => Promise<Done>, clock: PatienceClock = PROCESS_CLOCK): Promise<Done> {
  const endMs = clock.nowMs() + PATIENCE_MS;
  for (let pauseMs = PAUSE_FIRST_MS; ; pauseMs = Math.min(2 * pauseMs, PAUSE_MAX_MS)) {
    try {
      return await work();
    } catch (failure) {
      const jitteredMs = pauseMs * (0.5 + Math.random() / 2);
      if (!passes(failure) || clock.nowMs() + jitteredMs > endMs) throw failure;
      await clock.pause(jitteredMs);
    }
  }
}

/** Only AWS's own answers, and calls of its without one; what a seed has found out by itself stays as it is. */
function passes(failure: unknown): boolean {
  if (!(failure instanceof Error) || !('$metadata' in failure)) return false;
  const known = awsFailure('setup', failure);
  return known.retryable || isFault(known, ...NOT_KNOWN_YET);
}
