import type { Pool } from 'pg';
import type { ExpectedEpoch } from '../../epochs/store';
import { type DatabaseAddress, openPool, withConnection } from '../../platform/postgres/connection';
import type { CheckpointFilter, CheckpointPage, CheckpointStore, StoredCheckpoint } from '../store';
import { instant } from './read-log';

/** Checkpoints in the PostgreSQL authority store (packages/local-cluster/src/adapters/checkpoint-store.sql). */
export function connectCheckpointStore(address: DatabaseAddress, server: string): CheckpointStore {
  const pool = openPool(address, { applicationName: `${server} checkpoints`, connectionsMax: 1 });
  return {
    newest: (chains) => newest(pool, chains),
    newestBefore: (epoch) => newestBefore(pool, epoch),
    add: (checkpoints, expected) => add(pool, checkpoints, expected),
    read: (filter) => read(pool, filter),
    close: () => pool.end(),
  };
}

const NEWEST = `
select newest.*, (select extract(epoch from clock_timestamp() - max(stored_at)) * 1000 from audit_checkpoint)::float8 as "idleMs"
from (select) nothing left join (
  select each.* from unnest($1::text[]) as wanted (chain) cross join lateral (
    select chain, number, epoch, seq, jws from audit_checkpoint where chain = wanted.chain order by number desc limit 1
  ) each
) newest on true`;

async function newest(
  store: Pool,
  chains: readonly string[],
): Promise<{ checkpoints: StoredCheckpoint[]; idleMs: number }> {
  type Row = Omit<StoredCheckpoint, 'chain'> & { chain: string | null; idleMs: number | null };
  const { rows } = await withConnection(store, (client) =>
    client.query<Row>({ name: 'newest-checkpoints', text: NEWEST, values: [chains] }),
  );
  return {
    checkpoints: rows.flatMap(({ chain, number, epoch, seq, jws }) =>
      chain === null ? [] : { chain, number, epoch, seq, jws },
    ),
    idleMs: rows[0]?.idleMs ?? Number.POSITIVE_INFINITY,
  };
}

/** A loose index scan: it reads one row per chain and epoch, however many checkpoints exist. */
const NEWEST_BEFORE = `
with recursive newest as (
  (select chain, epoch, number, seq, jws from audit_checkpoint order by chain, epoch, number desc limit 1)
  union all
  select following.* from newest cross join lateral (
    select chain, epoch, number, seq, jws from audit_checkpoint
    where (chain, epoch) > (newest.chain, newest.epoch) order by chain, epoch, number desc limit 1
  ) following
)
select chain, number, epoch, seq, jws from newest where epoch < $1`;

async function newestBefore(store: Pool, epoch: number): Promise<StoredCheckpoint[]> {
  const { rows } = await withConnection(store, (client) => client.query<StoredCheckpoint>(NEWEST_BEFORE, [epoch]));
  return rows;
}

/** The store rejects the stale writer: a region that no longer holds the epoch stores nothing. */
const ADD = `
insert into audit_checkpoint (chain, number, epoch, seq, jws)
select signed.* from unnest($3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::text[])
  as signed (chain, number, epoch, seq, jws)
where exists (select from authority where epoch = $1 and region = $2)
order by signed.chain
on conflict do nothing`;

async function add(store: Pool, checkpoints: readonly StoredCheckpoint[], expected: ExpectedEpoch): Promise<number> {
  const column = <K extends keyof StoredCheckpoint>(key: K): StoredCheckpoint[K][] =>
    checkpoints.map((one) => one[key]);
  const values = [
    expected.epoch,
    expected.region,
    column('chain'),
    column('number'),
    column('epoch'),
    column('seq'),
    column('jws'),
  ];
  const { rowCount } = await withConnection(store, (client) => client.query(ADD, values));
  return rowCount ?? 0;
}

const READ = `
select chain, number, jws from audit_checkpoint
where ($1::text[] is null or chain = any($1)) and (chain, number) > ($2, $3) and stored_at <= $4
order by chain, number
limit $5`;

async function read(store: Pool, { chains, after, until, limit }: CheckpointFilter): Promise<CheckpointPage> {
  return withConnection(store, async (client) => {
    const now = await client.query<{ at: string }>(`select ${instant('clock_timestamp()')} as at`);
    const asOf = until ?? now.rows[0]?.at ?? '';
    const { rows } = await client.query<CheckpointPage['checkpoints'][number]>(READ, [
      chains ?? null,
      after?.chain ?? '',
      after?.number ?? 0,
      asOf,
      limit,
    ]);
    return { checkpoints: rows, asOf };
  });
}
