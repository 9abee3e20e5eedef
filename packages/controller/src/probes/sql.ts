import { Socket } from 'node:net';
import { Client, type QueryResultRow } from 'pg';

export interface SqlAddress {
  readonly host: string;
  readonly port: number;
  /** Trusted root certificates (PEM); the server's name is verified too. Absent: no TLS, as on one machine. */
  readonly certificateAuthorities?: readonly string[];
}

export interface DatabaseLogin {
  readonly database: string;
  readonly user: string;
  readonly password: string;
}

/** An SQL call that did not complete. `classifySqlFailure` says what it is evidence of. */
export class SqlFailure extends Error {
  readonly code: string;

  constructor(cause: unknown) {
    const { code, message } = cause as Error & { code?: string };
    super(message === '' ? (code ?? 'failed without a message') : message, { cause });
    this.name = 'SqlFailure';
    // pg gives this error no code. A server that refuses TLS answers, but the configuration requires TLS.
    this.code = code ?? (message.includes('does not support SSL') ? 'TLS_REFUSED' : 'BROKEN');
  }
}

export interface SqlSession {
  query<Row extends QueryResultRow>(text: string, values?: readonly unknown[]): Promise<Row[]>;
}

/**
 * Runs `work` in its own session, which ends within `timeoutMs` also if the database hangs or the link drops every packet.
 * Throws `SqlFailure`, with code `TIMEOUT` at the time-out.
 */
export async function inSession<Result>(
  options: SqlAddress & DatabaseLogin & { readonly timeoutMs: number; readonly applicationName: string },
  work: (session: SqlSession) => Promise<Result>,
): Promise<Result> {
  const { host, port, database, user, password, timeoutMs, applicationName, certificateAuthorities } = options;
  const socket = new Socket();
  const client = new Client({
    host,
    port,
    database,
    user,
    password,
    application_name: applicationName,
    stream: () => socket,
    ...(certificateAuthorities === undefined
      ? {}
      : { ssl: { ca: [...certificateAuthorities], rejectUnauthorized: true, minVersion: 'TLSv1.2' } }),
    // The server cancels what the controller does not wait for any more, so abandoned statements do not pile up.
    statement_timeout: timeoutMs,
  });
  client.on('error', () => undefined);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      socket.destroy();
      reject(new SqlFailure(Object.assign(new Error(`no answer within ${timeoutMs} ms`), { code: 'TIMEOUT' })));
    }, timeoutMs);
  });
  const done = runIn(client, work);
  // After a time-out the error of `done` arrives later and is not used.
  void done.catch(() => undefined);
  try {
    return await Promise.race([done, late]);
  } finally {
    clearTimeout(timer);
    // A clean end, so that the server does not log a broken connection. Its answer is not awaited.
    void client.end().catch(() => undefined);
    socket.destroySoon();
  }
}

async function runIn<Result>(client: Client, work: (session: SqlSession) => Promise<Result>): Promise<Result> {
  try {
    await client.connect();
    return await work({
      query: async <Row extends QueryResultRow>(text: string, values: readonly unknown[] = []) =>
        (await client.query<Row>(text, [...values])).rows,
    });
  } catch (cause) {
    throw new SqlFailure(cause);
  }
}

/**
 * The evidence in a failure.
 *
 * - `unreachable`: no database answers.
 * - `busy`: a database answers, and refuses for lack of resources.
 * - `unknown`: our own names, credentials, permissions or network failed: no evidence about the database.
 */
export type SqlFailureKind = 'unreachable' | 'busy' | 'unknown';

const UNREACHABLE_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'TIMEOUT',
  'BROKEN',
]);
/** admin_shutdown, crash_shutdown, cannot_connect_now (starting up, shutting down). */
const SHUTTING_DOWN = new Set(['57P01', '57P02', '57P03']);

export function classifySqlFailure(failure: SqlFailure): SqlFailureKind {
  const { code } = failure;
  if (UNREACHABLE_CODES.has(code) || SHUTTING_DOWN.has(code)) return 'unreachable';
  // Class 53: insufficient resources. The database is alive.
  return code.startsWith('53') ? 'busy' : 'unknown';
}
