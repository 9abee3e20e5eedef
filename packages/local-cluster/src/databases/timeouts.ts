import type { Profile } from '../profiles';

export interface SupervisorTimeouts {
  /** Interval of the health checks. */
  readonly pollEveryMs: number;
  /** A primary database that does not answer for this long is hung and will be replaced. */
  readonly hangAfterMs: number;
  /**
   * Commits stop waiting for a standby that acknowledges nothing for this long. Shorter than `hangAfterMs`, because it
   * costs only protection and not a database.
   */
  readonly standbySilentAfterMs: number;
  /** A follower that has not streamed for twice this time, although its source is reachable, is rebuilt. */
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
    walReceiverTimeoutMs: 10_000,
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
