import { type ConnectionOptions, checkServerIdentity } from 'node:tls';
import { Pool, type PoolClient, type PoolConfig, TypeOverrides, types } from 'pg';
import { DatabaseFailure } from '../database-failure';
import { databaseFailure } from './failure';

/** Address and credentials of a database. Host and port stay the same when another instance takes over behind them. */
export interface DatabaseAddress {
  readonly host: string;
  readonly port: number;
  readonly name: string;
  readonly user: string;
  readonly password: string;
  /** The certificate authority, in PEM, that must have signed the certificate of this host. @default no TLS */
  readonly ca?: string;
}

/**
 * Time limits of every wait, on both sides. The database's limits release the locks of abandoned transactions. The
 * client's limits are needed because a hung database enforces nothing.
 */
interface TimeLimits {
  readonly connectionTimeoutMillis: number;
  readonly query_timeout: number;
  readonly statement_timeout: number;
  readonly lock_timeout: number;
  readonly idle_in_transaction_session_timeout: number;
}

/**
 * Maximum lifetime of a connection. A failback places another database behind the same host name, and the earlier
 * database may keep running under another name. A connection that stayed open would keep seeing a closed epoch.
 */
const CONNECTION_LIFETIME_SECONDS = 60;

export const TIME_LIMITS: TimeLimits = {
  connectionTimeoutMillis: 2_000,
  query_timeout: 2_500,
  statement_timeout: 2_500,
  lock_timeout: 1_500,
  idle_in_transaction_session_timeout: 5_000,
};

export interface PoolOptions {
  readonly applicationName: string;
  readonly connectionsMax: number;
  readonly timeLimits?: Partial<TimeLimits>;
  /** @default a minute */
  readonly lifetimeSeconds?: number;
  /** Called when an idle connection breaks. The pool replaces the connection when it is next needed. */
  readonly onIdleError?: (error: Error) => void;
}

/** TLS as in `verify-full`: nothing is sent to a server whose certificate is not for this host. */
export function tlsTo({ host, ca }: Pick<DatabaseAddress, 'host' | 'ca'>): ConnectionOptions | false {
  if (ca === undefined) return false;
  return {
    ca,
    minVersion: 'TLSv1.2',
    // The driver passes only host names to TLS. An IP address has to be checked too.
    checkServerIdentity: (_name, certificate) => checkServerIdentity(host, certificate),
  };
}

export function openPool(address: DatabaseAddress, options: PoolOptions): Pool {
  const config: PoolConfig = {
    host: address.host,
    port: address.port,
    database: address.name,
    user: address.user,
    password: address.password,
    ssl: tlsTo(address),
    application_name: options.applicationName,
    max: options.connectionsMax,
    idleTimeoutMillis: 60_000,
    maxLifetimeSeconds: options.lifetimeSeconds ?? CONNECTION_LIFETIME_SECONDS,
    keepAlive: true,
    // Statements that are sent before an answer is awaited travel together.
    pipeline: true,
    types: numbersForBigints(),
    ...TIME_LIMITS,
    ...options.timeLimits,
  };
  const pool = new Pool(config);
  // Without a listener, the loss of an idle connection would end the process.
  pool.on('error', (error) => options.onIdleError?.(error));
  // A connection that breaks between two statements emits an event only. It may already be broken when it is acquired.
  pool.on('connect', (client) => client.on('error', () => undefined));
  return pool;
}

/** The schema's bigints (epochs, sequence numbers, ids) stay far below 2^53. */
function numbersForBigints(): TypeOverrides {
  const overrides = new TypeOverrides();
  overrides.setTypeParser(types.builtins.INT8, Number);
  return overrides;
}

/**
 * Runs `work` on one connection. After any failure the connection is closed and never reused: it may be in a
 * transaction, or wait for an answer that will never arrive. Throws `DatabaseFailure`.
 */
export async function withConnection<T>(pool: Pool, work: (client: PoolClient) => Promise<T>): Promise<T> {
  let client: PoolClient;
  try {
    client = await pool.connect();
  } catch (cause) {
    // A full server and a wrong password are treated alike: no database is reachable.
    throw new DatabaseFailure('unreachable', { cause });
  }
  try {
    const result = await work(client);
    client.release();
    return result;
  } catch (error) {
    client.release(true);
    throw databaseFailure(error);
  }
}

/** Commits. A failure leaves the outcome of the transaction unknown. */
export async function commit(client: PoolClient): Promise<void> {
  try {
    await client.query('commit');
  } catch (error) {
    throw databaseFailure(error, { whileCommitting: true });
  }
}

/**
 * Commits, and reads the flushed LSN of the write-ahead log in the same message. A follower that has flushed up to this
 * LSN has the transaction and everything that it read, because all commits are synchronous. Resolves to the LSN.
 */
export async function sendCommit(client: PoolClient): Promise<string> {
  const results = await client.query('commit; select pg_current_wal_flush_lsn()::text as lsn');
  return String((results as unknown as { rows: { lsn?: string }[] }[])[1]?.rows[0]?.lsn ?? '');
}
