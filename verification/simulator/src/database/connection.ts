import type { ExpectedEpoch, InEpoch } from '@evergrant/server/epochs/store';
import { DatabaseFailure } from '@evergrant/server/platform/database-failure';
import type { DisabledRules } from '../mutations';
import type { Host } from '../topology/host';
import type { Network } from '../topology/network';
import { type DatabaseServer, lsnText } from './database-server';
import type { Replication } from './replication';
import { isOpen, type StatementContext } from './statements';
import { ConstraintViolation, SimulatedTransaction, type Write } from './tables';

/** A region's database endpoint and the replication stream from it. */
export interface Endpoint {
  readonly database: DatabaseServer | undefined;
  /** The stream to the other region's follower. */
  readonly stream: Replication | undefined;
  /** Whether another walsender streams from this database, which has flushed everything. */
  readonly hasForeignWalsender: boolean;
}

export interface ConnectionOptions {
  /** The process that connects. */
  readonly host: Host;
  readonly endpoint: () => Endpoint;
  readonly network: Network;
  readonly disabled: DisabledRules;
  /** Reads are answered in the same step. */
  readonly readsPromptly: boolean;
}

export type Connected = Endpoint & { readonly database: DatabaseServer };

type Served<T> =
  | { readonly kind: 'done'; readonly value: T; readonly wrote: boolean }
  | { readonly kind: 'failed'; readonly failure: unknown };

/** The query time-out of packages/server/src/platform/postgres/connection.ts. */
const QUERY_TIMEOUT_MS = 5_000;

/** A server's connection to its region's database, which may die at any step. */
export class Connection {
  readonly #options: ConnectionOptions;

  constructor(options: ConnectionOptions) {
    this.#options = options;
  }

  context(database: DatabaseServer): StatementContext {
    const { disabled, host } = this.#options;
    const transaction = new SimulatedTransaction(database.tables, {
      enforcesConstraint: !disabled.has('database-constraint'),
    });
    const clock = disabled.has('S7-expiry') ? host : database.host;
    return { database, transaction, nowMs: Math.floor(clock.wallMs()), disabled };
  }

  /** A transaction that requires `expected` to be the open epoch, like packages/server/src/platform/postgres/transaction.ts. */
  inEpoch<T>(
    expected: ExpectedEpoch,
    work: (context: StatementContext) => T,
    options?: { readonly promptly: boolean },
  ): Promise<InEpoch<T>> {
    const serve = ({ database }: Connected): InEpoch<T> => {
      if (database.role !== 'primary') throw new DatabaseFailure('read_only', { cause: 'the database is a follower' });
      const verdict = isOpen(database, expected);
      if (verdict.kind !== 'open') return verdict;
      const context = this.context(database);
      const result = work(context);
      const { writes } = context.transaction;
      // A transaction without writes has seen all commits up to here.
      const position = writes.length > 0 ? commitSimulated(database, writes) : database.position;
      return { kind: 'done', result, lsn: lsnText(position), unprotected: database.newestEpoch?.unprotected === true };
    };
    return this.ask(serve, options);
  }

  /** A read-only query. */
  read<T>(serve: (endpoint: Connected) => T): Promise<T> {
    return this.ask(serve, { promptly: this.#options.readsPromptly });
  }

  /** One round trip. Without an answer its outcome is unknown. */
  async ask<T>(
    serve: (endpoint: Connected) => T,
    { promptly = false, timeoutMs = QUERY_TIMEOUT_MS }: { promptly?: boolean; timeoutMs?: number } = {},
  ): Promise<T> {
    const { host, network, endpoint } = this.#options;
    const served = await network.ask<Served<T>>(host, host.place, {
      timeoutMs,
      late: () => failed('unreachable', 'no answer in time', true),
      ...(promptly ? { promptly: (answer) => answer.kind === 'done' && !answer.wrote } : {}),
      serve: (answer) => {
        const { database, stream, hasForeignWalsender } = endpoint();
        if (!database || database.host.state === 'down') return answer(failed('unreachable', 'refused', false));
        const { life } = database.host;
        database.host.arrive(life, () =>
          answer(attempt(database, () => serve({ database, stream, hasForeignWalsender }))),
        );
      },
    });
    if (served.kind === 'failed') throw served.failure;
    return served.value;
  }
}

function attempt<T>(database: DatabaseServer, work: () => T): Served<T> {
  const { position } = database;
  try {
    const value = work();
    return { kind: 'done', value, wrote: database.position !== position };
  } catch (failure) {
    if (failure instanceof ConstraintViolation) return failed('fault', failure.message, false);
    return { kind: 'failed', failure };
  }
}

function failed(kind: 'unreachable' | 'fault', cause: string, outcomeUnknown: boolean): Served<never> {
  return { kind: 'failed', failure: new DatabaseFailure(kind, { cause, outcomeUnknown }) };
}

export function commitSimulated(database: DatabaseServer, writes: readonly Write[]): number {
  if (database.role !== 'primary') throw new DatabaseFailure('read_only', { cause: 'the database is a follower' });
  return database.commit(writes);
}
