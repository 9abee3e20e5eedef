import { DatabaseError, type Pool, type PoolClient, type QueryResult, type QueryResultRow } from 'pg';
import { type EpochRow, epochVerdict } from '../../epochs/core/role';
import type { ExpectedEpoch, InEpoch } from '../../epochs/store';
import type { DatabaseFailure } from '../database-failure';
import { sendCommit, withConnection } from './connection';
import { databaseFailure } from './failure';

/** Closing or opening an epoch takes this advisory lock exclusively, every granting transaction shares it. */
export const EPOCH_LOCK = 7_303_014_001;

/** A named one is planned once a connection. */
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
const BEGIN_IN_EPOCH = [BEGIN, SHARE_EPOCH_LOCK, NEWEST_EPOCH];

/** An open transaction. What is sent before an answer is awaited travels together. */
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

  /** Statements that travel together. Resolves to the rows of each. */
  async run(statements: readonly Statement[]): Promise<Row[][]> {
    const results = await Promise.all(statements.map((statement) => this.query<Row>(statement)));
    return results.map(({ rows }) => rows);
  }

  /** Sent at once, awaited with the commit. */
  write(statement: Statement): void {
    const written = this.client.query(statement);
    written.catch(() => undefined);
    this.#writes.push(written);
  }

  /** Sends the commit right behind what was sent; a statement that fails turns it into a rollback. */
  commit(): Promise<string> {
    this.#commit ??= sendCommit(this.client);
    this.#commit.catch(() => undefined);
    return this.#commit;
  }

  /** Resolves when everything that was written is committed, to where the write-ahead log is flushed then. */
  async committed(): Promise<string> {
    const committed = this.commit();
    for (const written of this.#writes) await written;
    return committed;
  }

  /**
   * Once the commit has been sent, a connection that breaks leaves open whether the transaction happened. What the
   * database itself refused did not, unless it was the commit.
   */
  async failure(error: unknown): Promise<DatabaseFailure> {
    const refused = error instanceof DatabaseError && !(await this.#isFailureOfCommit(error));
    return databaseFailure(error, { whileCommitting: this.#commit !== undefined && !refused });
  }

  #isFailureOfCommit(error: unknown): Promise<boolean> {
    const commit: Promise<unknown> = this.#commit ?? Promise.resolve();
    return commit.then(
      () => false,
      (because) => because === error,
    );
  }
}

/**
 * Runs `work` in a transaction that holds the epoch lock, and only while `expected` is the open epoch. The opening
 * statements travel with the begin, and each one sees what was committed before it began, so that what follows a lock
 * sees the winner's work; `work` is given their rows. Then the commit travels with what `work` has written: a batch is
 * two round trips.
 */
export async function batchInEpoch<T>(
  pool: Pool,
  { expected, opening }: { expected: ExpectedEpoch; opening: readonly Statement[] },
  work: (transaction: Transaction, opened: Row[][], epoch: { readonly unprotected: boolean }) => Promise<T>,
): Promise<InEpoch<T>> {
  return withConnection(pool, async (client) => {
    const transaction = new Transaction(client);
    const [, , newest, ...opened] = await transaction.run([...BEGIN_IN_EPOCH, ...opening]);
    const verdict = epochVerdict(newest?.[0] as EpochRow | undefined, expected);
    if (verdict.kind !== 'open') {
      await client.query('rollback');
      return verdict;
    }
    try {
      const unprotected = newest?.[0]?.unprotected === true;
      const result = await work(transaction, opened, { unprotected });
      return { kind: 'done', result, lsn: await transaction.committed(), unprotected };
    } catch (error) {
      throw await transaction.failure(error);
    }
  });
}

/**
 * The same for what is asked rarely: `opening` is one statement without parameters, or none; `work` is given its rows
 * and waits for each of its own statements.
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
