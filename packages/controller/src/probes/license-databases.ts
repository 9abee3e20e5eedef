import { OperatingError } from '@evergrant/core/operating-error';
import type { Region } from '@evergrant/core/regions';
import type { DatabaseView, EpochRowView, FollowerView } from '../core/database-view';
import { down, type Fact, unknown, up } from '../core/facts';
import type { DatabasePort } from '../ports';
import { classifySqlFailure, type DatabaseLogin, inSession, type SqlAddress, SqlFailure, type SqlSession } from './sql';

export interface LicenseDatabasesOptions {
  readonly addresses: Readonly<Record<Region, SqlAddress>>;
  readonly login: DatabaseLogin;
  /** Time-out of one observation or effect, connecting included. */
  readonly timeoutMs: number;
}

/** One row. Functions of the other role are not called, because they fail. Times are milliseconds since 1970. */
const OBSERVE = `
  select pg_is_in_recovery() as in_recovery,
    extract(epoch from clock_timestamp()) * 1000 as now_ms,
    case when pg_is_in_recovery() then null else pg_current_wal_flush_lsn() end::text as flushed_lsn,
    pg_last_wal_receive_lsn()::text as received_lsn,
    pg_last_wal_replay_lsn()::text as replayed_lsn,
    case when pg_is_in_recovery() then pg_is_wal_replay_paused() else false end as replay_paused,
    extract(epoch from pg_last_xact_replay_timestamp()) * 1000 as last_commit_ms,
    receiver.pid is not null as has_receiver, receiver.status as receiver_status,
    extract(epoch from receiver.last_msg_receipt_time) * 1000 as receiver_heard_ms
  from (select) as nothing left join pg_stat_wal_receiver as receiver on true`;

const NEWEST_EPOCH = `
  select epoch::int, region, closed_at is not null as closed from epoch order by epoch.epoch desc limit 1`;

/** The statement guards itself: a controller that resumes after the operation has ended finds a newer epoch. */
const PROMOTE = `
  select pg_promote(false) where pg_is_in_recovery() and not exists (select from epoch where epoch > $1)`;

const WRITE_CHECK = `
  insert into controller_write_check default values
  on conflict on constraint controller_write_check_pkey do update set written_at = clock_timestamp()`;

const UNDEFINED_TABLE = '42P01';
const READ_ONLY = '25006';

interface ObservationRow {
  in_recovery: boolean;
  now_ms: string;
  flushed_lsn: string | null;
  received_lsn: string | null;
  replayed_lsn: string | null;
  replay_paused: boolean;
  last_commit_ms: string | null;
  has_receiver: boolean;
  receiver_status: string | null;
  receiver_heard_ms: string | null;
}

/** The license databases of both regions. Each call uses SQL at the region's endpoint, in its own session. */
export class LicenseDatabases implements DatabasePort {
  readonly #options: LicenseDatabasesOptions;

  constructor(options: LicenseDatabasesOptions) {
    this.#options = options;
  }

  async view(region: Region): Promise<DatabaseView> {
    try {
      return await this.#session(region, async (session) => {
        const [row] = await session.query<ObservationRow & Record<string, unknown>>(OBSERVE);
        if (row === undefined) return { kind: 'unknown', reason: 'it returned no row' } as const;
        return viewOf(row, await newestEpoch(session));
      });
    } catch (failure) {
      if (!(failure instanceof SqlFailure)) throw failure;
      return { kind: classifySqlFailure(failure), reason: failure.message };
    }
  }

  async promote(region: Region, epochAtMost: number): Promise<void> {
    await this.#execute(region, 'promotion_failed', async (session) => {
      await session.query(PROMOTE, [epochAtMost]);
    });
  }

  async verifyWrite(region: Region): Promise<Fact> {
    try {
      await this.#session(region, (session) => session.query(WRITE_CHECK));
      return up('a write was accepted');
    } catch (failure) {
      if (!(failure instanceof SqlFailure)) throw failure;
      if (failure.code === READ_ONLY) return down('it is read-only');
      const fact = classifySqlFailure(failure) === 'unknown' ? unknown : down;
      return fact(failure.message);
    }
  }

  async closeEpoch(region: Region, epoch: number): Promise<void> {
    await this.#execute(region, 'close_epoch_failed', async (session) => {
      await session.query('select evergrant_close_epoch($1)', [epoch]);
    });
  }

  #session<Result>(region: Region, work: (session: SqlSession) => Promise<Result>): Promise<Result> {
    const { addresses, login, timeoutMs } = this.#options;
    return inSession({ ...addresses[region], ...login, timeoutMs, applicationName: 'evergrant_controller' }, work);
  }

  async #execute(region: Region, code: string, work: (session: SqlSession) => Promise<void>): Promise<void> {
    try {
      await this.#session(region, work);
    } catch (failure) {
      if (!(failure instanceof SqlFailure)) throw failure;
      const retryable = classifySqlFailure(failure) !== 'unknown';
      throw new OperatingError({ code, message: `${region}: ${failure.message}`, retryable, cause: failure });
    }
  }
}

/** Undefined before the first epoch was opened, and before the license schema exists. */
async function newestEpoch(session: SqlSession): Promise<EpochRowView | undefined> {
  try {
    const [row] = await session.query<{ epoch: number; region: string; closed: boolean }>(NEWEST_EPOCH);
    return row === undefined ? undefined : { epoch: row.epoch, region: row.region, closed: row.closed };
  } catch (failure) {
    if ((failure as { code?: string }).code === UNDEFINED_TABLE) return undefined;
    throw failure;
  }
}

function viewOf(row: ObservationRow, epoch: EpochRowView | undefined): DatabaseView {
  const serverNowMs = milliseconds(row.now_ms) ?? 0;
  if (!row.in_recovery && row.flushed_lsn !== null) {
    return { kind: 'primary', serverNowMs, flushedLsn: row.flushed_lsn, epoch };
  }
  // Without the permission the row exists and its columns are null: the receiver exists and its state is unknown.
  const receiver: FollowerView['receiver'] = row.has_receiver
    ? { status: row.receiver_status ?? undefined, lastMessageAtMs: milliseconds(row.receiver_heard_ms) }
    : undefined;
  return {
    kind: 'follower',
    serverNowMs,
    receivedLsn: row.received_lsn ?? undefined,
    replayedLsn: row.replayed_lsn ?? undefined,
    replayPaused: row.replay_paused,
    lastCommitAtMs: milliseconds(row.last_commit_ms),
    receiver,
    epoch,
  };
}

function milliseconds(text: string | null): number | undefined {
  return text === null ? undefined : Math.round(Number(text));
}
