/** Limits and time-outs of the sessions of one server. */
export interface SessionPolicy {
  /** Open sessions; one more is answered 503 `too_many_sessions`. */
  readonly sessionsMax: number;
  /** Open sessions of one Control Room, or with one token; one more is answered 503 `too_many_sessions`. */
  readonly sessionsPerCallerMax: number;
  /** Leases of one session; one more is answered 409 `session_full`. */
  readonly leasesMax: number;
  /** A larger message ends the session. */
  readonly messageBytesMax: number;
  /** Messages of one session in flight; the socket is not read while there are this many. */
  readonly unansweredMax: number;
  /** A session that exceeds this rate and the burst ends. */
  readonly messagesPerSecondMax: number;
  readonly messagesBurstMax: number;
  /** Unread answers in bytes; a session with more ends. */
  readonly unsentBytesMax: number;
  /** A session whose client sends nothing between two pings is closed within twice this time. */
  readonly pingEveryMs: number;
  /** How long a server that does not grant for a possibly brief cause keeps its sessions. */
  readonly blindToleranceMs: number;
  /** How long a session that is sent away has for its last answers, and then for its close frame. */
  readonly closeGraceMs: number;
  /** The `retryAfter` of sessions that are sent away is spread so that at most this many return each second. */
  readonly returnsPerSecondMax: number;
}

export const SESSION_POLICY: SessionPolicy = {
  sessionsMax: 25_000,
  sessionsPerCallerMax: 2_500,
  leasesMax: 500,
  messageBytesMax: 16 * 1024,
  unansweredMax: 64,
  messagesPerSecondMax: 1_000,
  messagesBurstMax: 2_000,
  unsentBytesMax: 1024 * 1024,
  pingEveryMs: 15_000,
  blindToleranceMs: 5_000,
  closeGraceMs: 1_000,
  returnsPerSecondMax: 2_000,
};
