import { type ConnectionOptions, checkServerIdentity } from 'node:tls';
import { Pool, type PoolClient, type PoolConfig, TypeOverrides, types } from 'pg';
import { DatabaseFailure } from '../database-failure';
import { databaseFailure } from './failure';

/** Where a database is and who asks. The host and port stay the same when another instance takes over behind them. */
export interface DatabaseAddress {
  readonly host: string;
  readonly port: number;
  readonly name: string;
  readonly user: string;
  readonly password: string;
  /** The certificate authority, in PEM, that must vouch for the database under this very host. @default no TLS */
  readonly ca?: string;
}

/**
 * Every wait is bounded on both sides: by the database, so that an abandoned transaction gives its locks back, and by
 * the client, because a hung database enforces nothing.
 */
interface TimeLimits {
  readonly connectionTimeoutMillis: number;
  readonly query_timeout: number;
  readonly statement_timeout: number;
  readonly lock_timeout: number;
  readonly idle_in_transaction_session_timeout: number;
}

/**
 * How long a connection is used at most. A failback puts another database behind the same name, and the one before may
 * live on under another: who stays connected to it finds its epoch closed for ever.
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
  /** Told of connections that broke while idle; each is replaced when next needed. */
  readonly onIdleError?: (error: Error) => void;
}

/** TLS as `verify-full` has it: nothing is said to a server whose certificate is not for this host. */
export function tlsTo({ host, ca }: Pick<DatabaseAddress, 'host' | 'ca'>): ConnectionOptions | false {
  if (ca === undefined) return false;
  return {
    ca,
    minVersion: 'TLSv1.2',
    // The driver names the host to TLS only when it is a name; an address has to be checked too.
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
    // What is sent before an answer is awaited travels together.
    pipeline: true,
    types: numbersForBigints(),
    ...TIME_LIMITS,
    ...options.timeLimits,
  };
  const pool = new Pool(config);
  // Without a listener the loss of an idle connection would end the server.
  pool.on('error', (error) => options.onIdleError?.(error));
  // A connection in use that breaks between two statements says so only as an event; it may be broken when it is handed out.
  pool.on('connect', (client) => client.on('error', () => undefined));
  return pool;
}

/** Our bigints (epochs, sequence numbers, ids) stay far below 2^53. */
function numbersForBigints(): TypeOverrides {
  const overrides = new TypeOverrides();
  overrides.setTypeParser(types.builtins.INT8, Number);
  return overrides;
}

/**
 * Runs `work` on one connection. A connection on which anything failed is closed and never used again: it may be in
 * a transaction, or wait for an answer that will never come. Throws `DatabaseFailure`.
 */
export async function withConnection<T>(pool: Pool, work: (client: PoolClient) => Promise<T>): Promise<T> {
  let client: PoolClient;
  try {
    client = await pool.connect();
  } catch (cause) {
    // Whatever the reason, a full server or a wrong password: there is no database to talk to.
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

/** Commits; a failure here leaves open whether the transaction happened. */
export async function commit(client: PoolClient): Promise<void> {
  try {
    await client.query('commit');
  } catch (error) {
    throw databaseFailure(error, { whileCommitting: true });
  }
}

/**
 * Commits, and reads in the same message up to where the write-ahead log is flushed then: whoever has flushed as much has
 * this transaction and everything that it has seen, because all commits here are synchronous. Resolves to that LSN.
 */
export async function sendCommit(client: PoolClient): Promise<string> {
  const results = await client.query('commit; select pg_current_wal_flush_lsn()::text as lsn');
  return String((results as unknown as { rows: { lsn?: string }[] }[])[1]?.rows[0]?.lsn ?? '');
}
