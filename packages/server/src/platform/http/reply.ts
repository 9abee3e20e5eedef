/** An answer before it is sent. HTTP and sessions send the same answer, each in its own format. */
export interface HttpReply {
  readonly status: number;
  /** Undefined with status 204. */
  readonly body?: object;
  /** Sent as plain text instead of `body`. */
  readonly text?: string;
  /** `Retry-After` over HTTP. */
  readonly retryAfterSeconds?: number;
  /** The lease that a session records as held. It is not sent. */
  readonly held?: HeldHere;
}

/** A problem document: nothing is acknowledged by it. */
export interface ProblemReply extends HttpReply {
  /** The code of the problem. */
  readonly problem: string;
}

export interface HeldHere {
  /** Differs from the requested id when an installation recovers its earlier lease. */
  readonly leaseId: string;
  readonly expiresAtMs: number;
  readonly onDisconnect: 'keep' | 'release';
  readonly handover: number;
}
