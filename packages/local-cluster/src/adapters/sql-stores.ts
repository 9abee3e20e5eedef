import type { AuthorityView } from '@evergrant/controller/core/authority';
import type { ControlRecord } from '@evergrant/controller/core/control-record';
import type { HistoryEntry, RecordedEntry } from '@evergrant/controller/core/history';
import { fromStored, toStoredJson } from '@evergrant/controller/core/stored-json';
import type { AuthorityStore, ControlStore } from '@evergrant/controller/ports';
import type { DatabaseLogin, SqlAddress } from '@evergrant/controller/probes/sql';
import { OperatingError } from '@evergrant/core/operating-error';
import type { Region } from '@evergrant/core/regions';
import { Pool, type PoolConfig, type QueryResultRow } from 'pg';

export interface StoreOptions extends SqlAddress, DatabaseLogin {
  readonly timeoutMs: number;
  readonly applicationName: string;
}

/** The two records in the authority store, and the connection to it. */
export interface SqlStores {
  readonly authority: AuthorityStore;
  readonly control: ControlStore;
  close(): Promise<void>;
}

export function openStores(options: StoreOptions): SqlStores {
  const store = new Store(options);
  return { authority: new SqlAuthorityStore(store), control: new SqlControlStore(store), close: () => store.close() };
}

class Store {
  readonly #pool: Pool;

  constructor({ timeoutMs, applicationName, ...address }: StoreOptions) {
    const config: PoolConfig = {
      ...address,
      application_name: applicationName,
      max: 2,
      connectionTimeoutMillis: timeoutMs,
      query_timeout: timeoutMs,
      statement_timeout: timeoutMs,
    };
    this.#pool = new Pool(config);
    // The next query replaces a broken idle connection. Without a listener the event would end the process.
    this.#pool.on('error', () => undefined);
  }

  async query<Row extends QueryResultRow>(text: string, values: readonly unknown[] = []): Promise<Row[]> {
    try {
      return (await this.#pool.query<Row>(text, [...values])).rows;
    } catch (cause) {
      const message = `the authority store: ${(cause as Error).message}`;
      throw new OperatingError({ code: 'store_unreachable', message, retryable: true, cause });
    }
  }

  close(): Promise<void> {
    return this.#pool.end();
  }
}

const READ_AUTHORITY = `
  select epoch::int, region, operation_id,
    extract(epoch from latched_at) * 1000 as latched_ms, extract(epoch from opens_at) * 1000 as opens_ms,
    extract(epoch from renewed_at) * 1000 as renewed_ms, renewed_by, extract(epoch from clock_timestamp()) * 1000 as now_ms
  from authority`;

/** Rejects a stale writer: the WHERE clause contains the epoch that the caller read. */
const LATCH = `
  update authority
  set epoch = epoch + 1, region = $2, operation_id = $3, latched_at = clock_timestamp(), opens_at = null, lapsed_at = null
  where epoch = $1 returning epoch`;

const OPEN = `
  update authority
  set opens_at = greatest(clock_timestamp(), to_timestamp($3::float8 / 1000)), lapsed_at = to_timestamp($3::float8 / 1000)
  where epoch = $1 and operation_id = $2 and opens_at is null returning epoch`;

interface AuthorityRow {
  epoch: number;
  region: Region;
  operation_id: string | null;
  latched_ms: string;
  opens_ms: string | null;
  renewed_ms: string | null;
  renewed_by: string | null;
  now_ms: string;
}

class SqlAuthorityStore implements AuthorityStore {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  async read(): Promise<AuthorityView> {
    const [row] = await this.#store.query<AuthorityRow & QueryResultRow>(READ_AUTHORITY);
    if (row === undefined) throw new Error('the authority store has no authority record');
    return {
      epoch: row.epoch,
      region: row.region,
      operationId: row.operation_id ?? undefined,
      latchedAtMs: Math.round(Number(row.latched_ms)),
      opensAtMs: milliseconds(row.opens_ms),
      renewedAtMs: milliseconds(row.renewed_ms),
      renewedBy: row.renewed_by ?? undefined,
      readAtMs: Math.round(Number(row.now_ms)),
    };
  }

  async latch(latch: { fromEpoch: number; region: Region; operationId: string }): Promise<'written' | 'conflict'> {
    const rows = await this.#store.query(LATCH, [latch.fromEpoch, latch.region, latch.operationId]);
    return rows.length === 1 ? 'written' : 'conflict';
  }

  async open(opening: { epoch: number; operationId: string; lapsedAtMs: number }): Promise<'written' | 'conflict'> {
    const rows = await this.#store.query(OPEN, [opening.epoch, opening.operationId, opening.lapsedAtMs]);
    return rows.length === 1 ? 'written' : 'conflict';
  }
}

/** Writes the record and the history in one statement, so the history contains only recorded changes. */
const WRITE_CONTROL = `
  with written as (
    update control set version = version + 1, record = $2 where version = $1 returning version
  ), noted as (
    insert into history (kind, detail)
    select entry->>'kind', entry->'detail'
    from written, jsonb_array_elements($3::jsonb) with ordinality as entries (entry, place)
    order by place
  )
  select version from written`;

class SqlControlStore implements ControlStore {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  async read(): Promise<{ version: number; record: ControlRecord }> {
    const rows = await this.#store.query<{ version: number; record: unknown }>(
      'select version::int, record from control',
    );
    const [row] = rows;
    if (row === undefined) throw new Error('the authority store has no control record');
    return { version: row.version, record: fromStored<ControlRecord>(row.record) };
  }

  async write(write: {
    version: number;
    record: ControlRecord;
    history: readonly HistoryEntry[];
  }): Promise<'written' | 'conflict'> {
    const values = [write.version, toStoredJson(write.record), toStoredJson(write.history)];
    const rows = await this.#store.query(WRITE_CONTROL, values);
    return rows.length === 1 ? 'written' : 'conflict';
  }

  async history(limit: number): Promise<readonly RecordedEntry[]> {
    const rows = await this.#store.query<{ id: number; at_ms: string; kind: string; detail: unknown }>(
      `select id::int, extract(epoch from at) * 1000 as at_ms, kind, detail from history order by id desc limit $1`,
      [limit],
    );
    return rows.map(({ id, at_ms, kind, detail }) =>
      fromStored<RecordedEntry>({ id, atMs: Math.round(Number(at_ms)), kind, detail }),
    );
  }
}

function milliseconds(text: string | null): number | undefined {
  return text === null ? undefined : Math.round(Number(text));
}
