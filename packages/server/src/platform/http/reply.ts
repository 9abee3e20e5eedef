/** An answer before it is put on a connection: HTTP and sessions say the same, each in its own form. */
export interface Reply {
  readonly status: number;
  /** None with 204. */
  readonly body?: object;
  /** `Retry-After` over HTTP. */
  readonly retryAfterSeconds?: number;
  /** What a session remembers of a lease that is held; it is not sent. */
  readonly held?: HeldHere;
}

export interface HeldHere {
  /** Not the one that was asked for when an installation gets its lease back. */
  readonly leaseId: string;
  readonly expiresAtMs: number;
  readonly onDisconnect: 'keep' | 'release';
  readonly handover: number;
}
