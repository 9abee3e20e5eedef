import { DatabaseError, type Pool, type PoolClient, type QueryResult, type QueryResultRow } from 'pg';
import { type EpochRow, epochVerdict } from '../../epochs/core/role';
import type { ExpectedEpoch, InEpoch } from '../../epochs/store';
import type { DatabaseFailure } from '../database-failure';
import { sendCommit, withConnection } from './connection';
import { databaseFailure } from './failure';

/** Advisory lock. Closing or opening an epoch takes it exclusively, and every granting transaction shares it. */
export const EPOCH_LOCK = 7_303_014_001;

/** A named statement is planned once per connection. */
export interface Statement {
  readonly name?: string;
  readonly text: string;
  readonly values?: unknown[];
}

export type Row = Readonly<Record<string, unknown>>;

const BEGIN: Statement = { text: 'begin' };
const SHARE_EPOCH_LOCK: Statement = {
  name: 'share-epoch-lock',
  text: `select pg_advisory_xact_lock_shared(${EPOCH_LOCK})`,
};
const NEWEST_EPOCH: Statement = {
  name: 'newest-epoch',
  text: `select epoch, region, closed_at is not null as closed, unprotected_since is not null as unprotected
    from epoch order by epoch desc limit 1`,
};
const TAKE_EPOCH_LOCK: Statement = {
  name: 'take-epoch-lock',
  text: `select pg_advisory_xact_lock(${EPOCH_LOCK})`,
};

/** An open transaction. Statements that are sent before an answer is awaited travel together. */
export class Transaction {
  readonly client: PoolClient;
  readonly #writes: Promise<unknown>[] = [];
  #commit: Promise<string> | undefined;

  constructor(client: PoolClient) {
    this.client = client;
  }

  query<R extends QueryResultRow>(statement: Statement): Promise<QueryResult<R>> {
    return this.client.query<R>(statement);
  }

  /** Sends the statements together. Resolves to the rows of each. */
  async run(statements: readonly Statement[]): Promise<Row[][]> {
    const results = await Promise.all(statements.map((statement) => this.query<Row>(statement)));
    return results.map(({ rows }) => rows);
  }

  /** Sends a statement now. Its outcome is awaited with the commit. */
  write(statement: Statement): void {
    const written = this.client.query(statement);
    written.catch(() => undefined);
    this.#writes.push(written);
  }

  /** Sends the commit after the pending statements. A statement that fails turns the commit into a rollback. */
  commit(): Promise<string> {
    this.#commit ??= sendCommit(this.client);
    this.#commit.catch(() => undefined);
    return this.#commit;
  }

  /** Resolves to the flushed LSN after every write is committed. */
  async committed(): Promise<string> {
    const committed = this.commit();
    for (const written of this.#writes) await written;
    return committed;
  }

  /**
   * Translates an error. When the connection breaks after the commit was sent, the outcome is unknown. A statement that
   * the database refused has no effect, unless the refused statement is the commit.
   */
  async failure(error: unknown): Promise<DatabaseFailure> {
    const refused = error instanceof DatabaseError && !(await this.#isFailureOfCommit(error));
    return databaseFailure(error, { whileCommitting: this.#commit !== undefined && !refused });
  }

  #isFailureOfCommit(error: unknown): Promise<boolean> {
    const commit: Promise<unknown> = this.#commit ?? Promise.resolve();
    return commit.then(
      () => false,
      (commitError) => commitError === error,
    );
  }
}

interface BatchOptions {
  readonly expected: ExpectedEpoch;
  readonly opening: readonly Statement[];
  /** True: no other transaction of the epoch runs at the same time. @default false */
  readonly exclusive?: boolean;
}

/**
 * Runs `work` in a transaction that shares the epoch lock, and only while `expected` is the open epoch. The opening
 * statements travel with the begin. Each of them sees everything committed before it began, so a statement after a lock
 * sees the changes of the previous lock holder. `work` receives their rows. The commit travels with the writes of
 * `work`, so a batch takes two round trips.
 */
export async function batchInEpoch<T>(
  pool: Pool,
  { expected, opening, exclusive = false }: BatchOptions,
  work: (transaction: Transaction, opened: Row[][], epoch: { readonly unprotected: boolean }) => Promise<T>,
): Promise<InEpoch<T>> {
  return withConnection(pool, async (client) => {
    const transaction = new Transaction(client);
    const epochLock = exclusive ? TAKE_EPOCH_LOCK : SHARE_EPOCH_LOCK;
    const [, , newest, ...opened] = await transaction.run([BEGIN, epochLock, NEWEST_EPOCH, ...opening]);
    const verdict = epochVerdict(newest?.[0] as EpochRow | undefined, expected);
    if (verdict.kind !== 'open') {
      await client.query('rollback');
      return verdict;
    }
    const unprotected = newest?.[0]?.unprotected === true;
    if (unprotected && expected.requireProtection) {
      await client.query('rollback');
      return { kind: 'not_protected' };
    }
    try {
      const result = await work(transaction, opened, { unprotected });
      return { kind: 'done', result, lsn: await transaction.committed(), unprotected };
    } catch (error) {
      throw await transaction.failure(error);
    }
  });
}

/**
 * Like `batchInEpoch`, for rare transactions. `opening` is one statement without parameters, or empty. `work` receives
 * its rows and awaits each of its statements.
 */
export async function inEpoch<T>(
  pool: Pool,
  expected: ExpectedEpoch,
  opening: string,
  work: (client: PoolClient, opened: Row[]) => Promise<T>,
): Promise<InEpoch<T>> {
  const statements = opening ? [{ text: opening }] : [];
  return batchInEpoch(pool, { expected, opening: statements }, ({ client }, opened) =>
    work(client, opened.at(-1) ?? []),
  );
}
