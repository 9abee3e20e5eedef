/** Something outside failed or refused. `retryable`: the same call may succeed later. */
export class OperatingError extends Error {
  readonly code: string;
  readonly retryable: boolean;

  constructor(failure: { code: string; message: string; retryable: boolean; cause?: unknown }) {
    super(failure.message, { cause: failure.cause });
    this.name = 'OperatingError';
    this.code = failure.code;
    this.retryable = failure.retryable;
  }
}
