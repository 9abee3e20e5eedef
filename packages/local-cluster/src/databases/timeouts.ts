import type { Profile } from '../profiles';

export interface SupervisorTimeouts {
  /** How often each database is looked at. */
  readonly pollEveryMs: number;
  /** A primary database that answers nothing for so long is replaced: slow is as dead as dead. */
  readonly hangAfterMs: number;
  /**
   * A standby that acknowledges nothing for so long is let go: commits wait for it. Shorter than `hangAfterMs`,
   * because letting go costs only protection, not a database.
   */
  readonly standbySilentAfterMs: number;
  /** A follower that does not stream twice as long, although its source is up and lets it in, is built anew. */
  readonly rebuildAfterMs: number;
  readonly walSenderTimeoutMs: number;
  readonly walReceiverTimeoutMs: number;
  readonly walRetrieveRetryMs: number;
}

export const SUPERVISOR_TIMEOUTS: Readonly<Record<Profile, SupervisorTimeouts>> = {
  default: {
    pollEveryMs: 250,
    hangAfterMs: 10_000,
    standbySilentAfterMs: 4_000,
    rebuildAfterMs: 10_000,
    walSenderTimeoutMs: 10_000,
    walReceiverTimeoutMs: 15_000,
    walRetrieveRetryMs: 1_000,
  },
  fast: {
    pollEveryMs: 100,
    hangAfterMs: 3_000,
    standbySilentAfterMs: 2_000,
    rebuildAfterMs: 3_000,
    walSenderTimeoutMs: 2_000,
    walReceiverTimeoutMs: 3_000,
    walRetrieveRetryMs: 200,
  },
};
