/** An answer before it is sent. HTTP and sessions send the same answer, each in its own format. */
export interface Reply {
  readonly status: number;
  /** Undefined with status 204. */
  readonly body?: object;
  /** `Retry-After` over HTTP. */
  readonly retryAfterSeconds?: number;
  /** The lease that a session records as held. It is not sent. */
  readonly held?: HeldHere;
}

export interface HeldHere {
  /** Differs from the requested id when an installation recovers its earlier lease. */
  readonly leaseId: string;
  readonly expiresAtMs: number;
  readonly onDisconnect: 'keep' | 'release';
  readonly handover: number;
}
