import { Client } from 'pg';
import type { PostgresInstance } from '../postgres/instance';

/** One row of pg_stat_replication: somebody who streams from this instance. */
export interface Sender {
  readonly name: string;
  readonly state: string;
  readonly sync: string;
  readonly flushLsn: string | null;
  /** The other side's clock at its last reply; only its changing says anything. */
  readonly replyTime: string | null;
}

/** What an instance says about itself. */
export interface Answer {
  readonly inRecovery: boolean;
  /** Flushed (primary), or the larger of received and replayed (follower). */
  readonly lsn: string | null;
  readonly timeline: number | null;
  readonly synchronousStandbyNames: string;
  readonly senders: readonly Sender[];
  /** The follower's connection to its source; null when it has none. */
  readonly receiver: { readonly status: string } | null;
}

const LOOK = `
  select pg_is_in_recovery() as "inRecovery",
    case when pg_is_in_recovery() then greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())
      else pg_current_wal_flush_lsn() end::text as lsn,
    case when pg_is_in_recovery() then (select received_tli from pg_stat_wal_receiver)
      else ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::int end as timeline,
    current_setting('synchronous_standby_names') as "synchronousStandbyNames",
    (select coalesce(json_agg(json_build_object('name', application_name, 'state', state, 'sync', sync_state,
      'flushLsn', flush_lsn, 'replyTime', reply_time)), '[]') from pg_stat_replication) as senders,
    (select json_build_object('status', status) from pg_stat_wal_receiver) as receiver`;

/** "Starting up", "shutting down", "in recovery", "too many connections", "not allowed": somebody is there. */
const ANSWERING_REFUSALS = new Set(['57P03', '53300', '28P01', '28000', '3D000']);

/** Time in which this process itself did not run says nothing about what it watches. */
const OWN_DELAY_TOLERATED_MS = 250;

export interface HealthMonitorOptions {
  readonly pollEveryMs: number;
  readonly hangAfterMs: number;
  /** Called after each answer. */
  readonly onAnswer: () => void;
}

/**
 * Looks at one instance without ever waiting for it, in two ways: a statement in a session that stays open, and a new
 * session. It answers only while both do. A postmaster that is suspended keeps its sessions alive and lets nobody in:
 * for clients that have to reconnect it hangs.
 */
export class HealthMonitor {
  readonly #postgres: PostgresInstance;
  readonly #options: HealthMonitorOptions;
  #timer: NodeJS.Timeout | undefined;
  #tickedAt = 0;
  #session: Client | undefined;
  #asking: symbol | undefined;
  #knocking: symbol | undefined;
  #knockedAt = 0;
  #latest: Answer | undefined;
  #saidAt = 0;
  #letInAt = 0;
  #steadySince: number | undefined;

  constructor(postgres: PostgresInstance, options: HealthMonitorOptions) {
    this.#postgres = postgres;
    this.#options = options;
    postgres.onExit(() => this.#forget());
  }

  start(): void {
    this.#tickedAt = performance.now();
    this.#timer = setInterval(() => this.#tick(), this.#options.pollEveryMs);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#forget();
  }

  /** The instance has just been launched: its silence is counted from now. */
  expect(): void {
    this.#forget();
    this.#saidAt = performance.now();
    this.#letInAt = performance.now();
    this.#tick();
  }

  /** Asks now, out of turn. */
  async look(): Promise<void> {
    await this.#ask();
  }

  /** The last answer since the launch. */
  get latest(): Answer | undefined {
    return this.#latest;
  }

  /** For how long at least one of the two ways has not been answered. */
  get silentMs(): number {
    return performance.now() - Math.min(this.#saidAt, this.#letInAt);
  }

  /** For how long it has been answering without a noticeable pause; 0 while it does not. */
  get steadyMs(): number {
    return this.#steadySince === undefined || this.#isUnsteady() ? 0 : performance.now() - this.#steadySince;
  }

  #isUnsteady(): boolean {
    return this.silentMs > this.#options.hangAfterMs / 2;
  }

  #forget(): void {
    this.#dropSession();
    this.#knocking = undefined;
    this.#latest = undefined;
    this.#steadySince = undefined;
  }

  #tick(): void {
    const now = performance.now();
    const ownDelayMs = now - this.#tickedAt - this.#options.pollEveryMs;
    this.#tickedAt = now;
    if (ownDelayMs > OWN_DELAY_TOLERATED_MS) {
      this.#saidAt += ownDelayMs;
      this.#letInAt += ownDelayMs;
    }
    if (!this.#postgres.isRunning) return;
    if (this.#isUnsteady()) this.#steadySince = undefined;
    if (this.#asking === undefined) void this.#ask();
    else if (now - this.#saidAt > this.#options.hangAfterMs * 2) this.#dropSession();
    const knockEveryMs = this.#options.pollEveryMs * 4;
    if (this.#knocking === undefined && now - this.#knockedAt > knockEveryMs) void this.#knock();
  }

  /** A statement in the session that stays open. */
  async #ask(): Promise<void> {
    const turn = Symbol('turn');
    this.#asking = turn;
    try {
      this.#session ??= await this.#openSession(turn);
      const { rows } = await this.#session.query<Answer>(LOOK);
      if (this.#asking !== turn) return;
      this.#latest = rows[0];
      this.#heard({ said: true });
    } catch (error) {
      if (this.#asking !== turn) return;
      if (isRefusal(error)) this.#heard({ said: true });
      this.#dropSession();
    } finally {
      if (this.#asking === turn) this.#asking = undefined;
    }
  }

  async #openSession(turn: symbol): Promise<Client> {
    const session = new Client(this.#postgres.connection({ connectionTimeoutMillis: this.#options.hangAfterMs }));
    session.on('error', () => undefined);
    await session.connect();
    if (this.#asking === turn) return session;
    await session.end();
    throw new Error('nobody waits for this session any more');
  }

  /** A new session, opened and closed. */
  async #knock(): Promise<void> {
    const turn = Symbol('turn');
    this.#knocking = turn;
    this.#knockedAt = performance.now();
    const visitor = new Client(this.#postgres.connection({ connectionTimeoutMillis: this.#options.hangAfterMs }));
    visitor.on('error', () => undefined);
    try {
      await visitor.connect();
      if (this.#knocking === turn) this.#heard({ letIn: true });
    } catch (error) {
      if (this.#knocking === turn && isRefusal(error)) this.#heard({ letIn: true });
    } finally {
      if (this.#knocking === turn) this.#knocking = undefined;
      visitor.end().catch(() => undefined);
    }
  }

  #heard(what: { said?: true; letIn?: true }): void {
    if (what.said) this.#saidAt = performance.now();
    if (what.letIn) this.#letInAt = performance.now();
    if (!this.#isUnsteady()) this.#steadySince ??= performance.now();
    this.#options.onAnswer();
  }

  #dropSession(): void {
    const session = this.#session;
    this.#session = undefined;
    this.#asking = undefined;
    session?.end().catch(() => undefined);
  }
}

function isRefusal(error: unknown): boolean {
  return ANSWERING_REFUSALS.has((error as { code?: string }).code ?? '');
}
