/** What a server allows its sessions, and how long it waits for them. */
export interface SessionPolicy {
  /** Open sessions; one more is answered 503 `too_many_sessions`. */
  readonly sessionsMax: number;
  /** Leases of one session; one more is answered 409 `session_full`. */
  readonly leasesMax: number;
  /** A larger message ends the session: it cannot even be read. */
  readonly messageBytesMax: number;
  /** Messages of one session that wait for their answer; no more are read until there are fewer. */
  readonly unansweredMax: number;
  /** A session that sends more for longer is a flood, and ends. */
  readonly messagesPerSecondMax: number;
  readonly messagesBurstMax: number;
  /** Answers that a session does not read; beyond, it ends. */
  readonly unsentBytesMax: number;
  /** A session from which nothing came between two pings is dead: it is closed within twice this. */
  readonly pingEveryMs: number;
  /** How long a server that may only be blind for a moment keeps its sessions. */
  readonly patienceMs: number;
  /** How long a session that is sent away has for its last answers, and then for its own farewell. */
  readonly farewellMs: number;
  /** Sessions that are sent away are told to come back over a time in which no more than so many come each second. */
  readonly returnsPerSecondMax: number;
}

export const SESSION_POLICY: SessionPolicy = {
  sessionsMax: 25_000,
  leasesMax: 500,
  messageBytesMax: 16 * 1024,
  unansweredMax: 64,
  messagesPerSecondMax: 1_000,
  messagesBurstMax: 2_000,
  unsentBytesMax: 1024 * 1024,
  pingEveryMs: 15_000,
  patienceMs: 5_000,
  farewellMs: 1_000,
  returnsPerSecondMax: 2_000,
};
