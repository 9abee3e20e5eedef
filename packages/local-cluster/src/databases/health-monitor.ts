import { Client } from 'pg';
import type { PostgresInstance } from '../postgres/instance';

/** One row of pg_stat_replication: a receiver that streams from this instance. */
export interface ReplicationSender {
  readonly name: string;
  readonly state: string;
  readonly sync: string;
  readonly flushLsn: string | null;
  /** The receiver's clock at its last reply. Only a change of it is meaningful. */
  readonly replyTime: string | null;
}

/** The answer to the health query. */
export interface HealthReport {
  readonly inRecovery: boolean;
  /** Flushed (primary), or the larger of received and replayed (follower). */
  readonly lsn: string | null;
  readonly timeline: number | null;
  readonly synchronousStandbyNames: string;
  readonly senders: readonly ReplicationSender[];
  /** The follower's connection to its source; null when it has none. */
  readonly receiver: { readonly status: string } | null;
}

const HEALTH_QUERY = `
  select pg_is_in_recovery() as "inRecovery",
    case when pg_is_in_recovery() then greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())
      else pg_current_wal_flush_lsn() end::text as lsn,
    case when pg_is_in_recovery() then (select received_tli from pg_stat_wal_receiver)
      else ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::int end as timeline,
    current_setting('synchronous_standby_names') as "synchronousStandbyNames",
    (select coalesce(json_agg(json_build_object('name', application_name, 'state', state, 'sync', sync_state,
      'flushLsn', flush_lsn, 'replyTime', reply_time)), '[]') from pg_stat_replication) as senders,
    (select json_build_object('status', status) from pg_stat_wal_receiver) as receiver`;

/** SQLSTATEs of refusals that prove a running server: starting up, shutting down, too many connections, not allowed. */
const ANSWERING_REFUSALS = new Set(['57P03', '53300', '28P01', '28000', '3D000']);

/** A longer delay of this process's own timer is not counted as silence of the instance. */
const OWN_DELAY_TOLERATED_MS = 250;

export interface HealthMonitorOptions {
  readonly pollEveryMs: number;
  readonly hangAfterMs: number;
  /** Called after each answer. */
  readonly onAnswer: () => void;
}

/**
 * Monitors one instance in two ways that never block: a statement in an open session, and a new session. The instance
 * answers only while both succeed. A suspended postmaster keeps open sessions working but accepts no new ones, so for
 * clients that have to reconnect it hangs.
 */
export class HealthMonitor {
  readonly #postgres: PostgresInstance;
  readonly #options: HealthMonitorOptions;
  #timer: NodeJS.Timeout | undefined;
  #tickedAt = 0;
  #session: Client | undefined;
  #queryTurn: symbol | undefined;
  #connectTurn: symbol | undefined;
  #connectStartedAt = 0;
  #latest: HealthReport | undefined;
  #queryAnsweredAt = 0;
  #connectAnsweredAt = 0;
  #steadySince: number | undefined;

  constructor(postgres: PostgresInstance, options: HealthMonitorOptions) {
    this.#postgres = postgres;
    this.#options = options;
    postgres.onExit(() => this.#reset());
  }

  start(): void {
    this.#tickedAt = performance.now();
    this.#timer = setInterval(() => this.#tick(), this.#options.pollEveryMs);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#reset();
  }

  /** Called after a launch. Silence is counted from now. */
  resetAfterLaunch(): void {
    this.#reset();
    this.#queryAnsweredAt = performance.now();
    this.#connectAnsweredAt = performance.now();
    this.#tick();
  }

  /** Runs the health query now. */
  async checkNow(): Promise<void> {
    await this.#query();
  }

  /** The last report since the launch. */
  get latest(): HealthReport | undefined {
    return this.#latest;
  }

  /** Time since the older of the two last answers. */
  get silentMs(): number {
    return performance.now() - Math.min(this.#queryAnsweredAt, this.#connectAnsweredAt);
  }

  /** Time for which the instance has answered without a long pause; 0 while it does not answer. */
  get steadyMs(): number {
    return this.#steadySince === undefined || this.#isUnsteady() ? 0 : performance.now() - this.#steadySince;
  }

  #isUnsteady(): boolean {
    return this.silentMs > this.#options.hangAfterMs / 2;
  }

  #reset(): void {
    this.#dropSession();
    this.#connectTurn = undefined;
    this.#latest = undefined;
    this.#steadySince = undefined;
  }

  #tick(): void {
    const now = performance.now();
    const ownDelayMs = now - this.#tickedAt - this.#options.pollEveryMs;
    this.#tickedAt = now;
    if (ownDelayMs > OWN_DELAY_TOLERATED_MS) {
      this.#queryAnsweredAt += ownDelayMs;
      this.#connectAnsweredAt += ownDelayMs;
    }
    if (!this.#postgres.isRunning) return;
    if (this.#isUnsteady()) this.#steadySince = undefined;
    if (this.#queryTurn === undefined) void this.#query();
    else if (now - this.#queryAnsweredAt > this.#options.hangAfterMs * 2) this.#dropSession();
    const connectEveryMs = this.#options.pollEveryMs * 4;
    if (this.#connectTurn === undefined && now - this.#connectStartedAt > connectEveryMs) void this.#connect();
  }

  /** Runs the health query in the open session. */
  async #query(): Promise<void> {
    const turn = Symbol('turn');
    this.#queryTurn = turn;
    try {
      this.#session ??= await this.#openSession(turn);
      const { rows } = await this.#session.query<HealthReport>(HEALTH_QUERY);
      if (this.#queryTurn !== turn) return;
      this.#latest = rows[0];
      this.#recordAnswer({ query: true });
    } catch (error) {
      if (this.#queryTurn !== turn) return;
      if (isRefusal(error)) this.#recordAnswer({ query: true });
      this.#dropSession();
    } finally {
      if (this.#queryTurn === turn) this.#queryTurn = undefined;
    }
  }

  async #openSession(turn: symbol): Promise<Client> {
    const session = new Client(this.#postgres.connection({ connectionTimeoutMillis: this.#options.hangAfterMs }));
    session.on('error', () => undefined);
    await session.connect();
    if (this.#queryTurn === turn) return session;
    await session.end();
    throw new Error('this session is no longer needed');
  }

  /** Opens and closes a new session. */
  async #connect(): Promise<void> {
    const turn = Symbol('turn');
    this.#connectTurn = turn;
    this.#connectStartedAt = performance.now();
    const session = new Client(this.#postgres.connection({ connectionTimeoutMillis: this.#options.hangAfterMs }));
    session.on('error', () => undefined);
    try {
      await session.connect();
      if (this.#connectTurn === turn) this.#recordAnswer({ connection: true });
    } catch (error) {
      if (this.#connectTurn === turn && isRefusal(error)) this.#recordAnswer({ connection: true });
    } finally {
      if (this.#connectTurn === turn) this.#connectTurn = undefined;
      session.end().catch(() => undefined);
    }
  }

  #recordAnswer(by: { query?: true; connection?: true }): void {
    if (by.query) this.#queryAnsweredAt = performance.now();
    if (by.connection) this.#connectAnsweredAt = performance.now();
    if (!this.#isUnsteady()) this.#steadySince ??= performance.now();
    this.#options.onAnswer();
  }

  #dropSession(): void {
    const session = this.#session;
    this.#session = undefined;
    this.#queryTurn = undefined;
    session?.end().catch(() => undefined);
  }
}

function isRefusal(error: unknown): boolean {
  return ANSWERING_REFUSALS.has((error as { code?: string }).code ?? '');
}
