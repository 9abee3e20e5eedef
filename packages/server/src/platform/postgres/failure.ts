import { DatabaseError } from 'pg';
import { DatabaseFailure, type FailureKind } from '../database-failure';

export function databaseFailure(error: unknown, { whileCommitting = false } = {}): DatabaseFailure {
  if (error instanceof DatabaseFailure) return error;
  const kind = failureKind(error);
  return new DatabaseFailure(kind, { cause: error, outcomeUnknown: whileCommitting && kind === 'unreachable' });
}

const KIND_BY_SQLSTATE: Readonly<Record<string, FailureKind>> = {
  '40001': 'contention', // serialization_failure
  '40P01': 'contention', // deadlock_detected
  '55P03': 'contention', // lock_not_available (lock_timeout)
  '23505': 'contention', // unique_violation: another transaction inserted the same lease id first
  '25006': 'read_only', // read_only_sql_transaction
  '57014': 'unreachable', // query_canceled (statement_timeout)
  '42P01': 'unreachable', // undefined_table: the schema is not migrated yet
  '42703': 'unreachable', // undefined_column: the same
  '42883': 'unreachable', // undefined_function: the same
};

function failureKind(error: unknown): FailureKind {
  if (!(error instanceof DatabaseError)) return error instanceof TypeError ? 'fault' : 'unreachable';
  const sqlState = error.code ?? '';
  // 08: connection exceptions. 57P: the database shuts down, has crashed or starts.
  if (/^(08|57P)/.test(sqlState)) return 'unreachable';
  return KIND_BY_SQLSTATE[sqlState] ?? 'fault';
}
