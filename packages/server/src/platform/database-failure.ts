/**
 * - `contention`: the database chose another transaction; a retry may succeed.
 * - `unreachable`: no connection, no answer in time, or a database that starts or stops.
 * - `read_only`: the database follows another one.
 * - `fault`: a bug or a broken invariant; a retry fails as well.
 */
export type FailureKind = 'contention' | 'unreachable' | 'read_only' | 'fault';

/** The only error that a store raises; expected outcomes are return values. */
export class DatabaseFailure extends Error {
  readonly code = 'database_failure';
  readonly kind: FailureKind;
  readonly retryable: boolean;
  /** True when the commit was sent and not answered: the transaction may have happened. */
  readonly outcomeUnknown: boolean;

  constructor(kind: FailureKind, { cause, outcomeUnknown = false }: { cause: unknown; outcomeUnknown?: boolean }) {
    super(`database ${kind}: ${cause instanceof Error ? cause.message : cause}`, { cause });
    this.kind = kind;
    this.retryable = kind !== 'fault';
    this.outcomeUnknown = outcomeUnknown;
  }
}
