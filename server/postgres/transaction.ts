import type { Pool, PoolClient } from 'pg';
import { type EpochRow, epochVerdict } from '../core/role';
import type { ExpectedEpoch, InEpoch } from '../ports';
import { commitAt, withConnection } from './connection';

/** Closing or opening an epoch takes this advisory lock exclusively, every granting transaction shares it. */
export const EPOCH_LOCK = 7_303_014_001;

const BEGIN_IN_EPOCH = `begin;
select pg_advisory_xact_lock_shared(${EPOCH_LOCK});
select epoch, region, closed_at is not null as closed from epoch order by epoch desc limit 1`;

/**
 * Runs `work` in a transaction that holds the epoch lock, and only while `expected` is the open epoch. `opening`
 * (statements without parameters) travels with the begin, to save a round trip; the last result of it is passed on. What
 * `work` gives to `atCommit` travels with the commit likewise.
 * Each statement sees what was committed before it began, so what follows a lock sees the winner's work.
 */
export async function inEpoch<T>(
  pool: Pool,
  expected: ExpectedEpoch,
  opening: string,
  work: (client: PoolClient, opened: Row[], atCommit: AtCommit) => Promise<T>,
): Promise<InEpoch<T>> {
  return withConnection(pool, async (client) => {
    const results = await runEach(client, opening ? `${BEGIN_IN_EPOCH};${opening}` : BEGIN_IN_EPOCH);
    const verdict = epochVerdict(results[2]?.rows[0] as EpochRow | undefined, expected);
    if (verdict.kind !== 'open') {
      await client.query('rollback');
      return verdict;
    }
    let closing: string | undefined;
    const result = await work(client, results.at(-1)?.rows ?? [], (statement) => {
      closing = statement;
    });
    return { kind: 'done', result, lsn: await commitAt(client, closing) };
  });
}

/** Runs statements without parameters in one round trip. Resolves to the rows of the last. */
export async function runAll(client: PoolClient, statements: string): Promise<Row[]> {
  return (await runEach(client, statements)).at(-1)?.rows ?? [];
}

async function runEach(client: PoolClient, statements: string): Promise<Result[]> {
  return (await client.query(statements)) as unknown as Result[];
}

/** Has a statement without parameters travel with the commit. */
export type AtCommit = (statement: string) => void;

export type Row = Readonly<Record<string, unknown>>;
interface Result {
  readonly rows: Row[];
}
