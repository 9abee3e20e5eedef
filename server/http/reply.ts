/** An answer before it is put on a connection: HTTP and sessions say the same, each in its own form. */
export interface Reply {
  readonly status: number;
  /** None with 204. */
  readonly body?: object;
  /** `Retry-After` over HTTP. */
  readonly retryAfterSeconds?: number;
}
