import { Socket } from 'node:net';
import { Client, type QueryResultRow } from 'pg';

export interface DatabaseAddress {
  readonly host: string;
  readonly port: number;
  /** Certificates (PEM) that the server's own must lead to; its name is checked too. Absent: no TLS, as on one machine. */
  readonly certificateAuthorities?: readonly string[];
}

export interface DatabaseLogin {
  readonly database: string;
  readonly user: string;
  readonly password: string;
}

/** A look or an act in SQL that did not come to its end. What it means is for `classifySqlFailure`. */
export class SqlFailure extends Error {
  readonly code: string;

  constructor(cause: unknown) {
    const { code, message } = cause as Error & { code?: string };
    super(message === '' ? (code ?? 'failed without a word') : message, { cause });
    this.name = 'SqlFailure';
    // The library gives this one no code; a server that refuses to encrypt is there, and we are told to insist.
    this.code = code ?? (message.includes('does not support SSL') ? 'TLS_REFUSED' : 'BROKEN');
  }
}

export interface Session {
  query<Row extends QueryResultRow>(text: string, values?: readonly unknown[]): Promise<Row[]>;
}

/**
 * Runs `work` in a session of its own that ends, one way or the other, within `timeoutMs`: a hung database, or a link
 * that swallows everything, holds nobody. Throws `SqlFailure`, with code `TIMEOUT` when time ran out.
 */
export async function inSession<Result>(
  options: DatabaseAddress & DatabaseLogin & { readonly timeoutMs: number; readonly applicationName: string },
  work: (session: Session) => Promise<Result>,
): Promise<Result> {
  const { host, port, database, user, password, timeoutMs, applicationName, certificateAuthorities } = options;
  const socket = new Socket();
  const client = new Client({
    ...{ host, port, database, user, password, application_name: applicationName },
    stream: () => socket,
    ...(certificateAuthorities === undefined
      ? {}
      : { ssl: { ca: [...certificateAuthorities], rejectUnauthorized: true, minVersion: 'TLSv1.2' } }),
    // What we no longer wait for, the server no longer does: a closed door must not leave a queue behind it.
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
  // When time runs out first, its own failure comes later and has nobody left to tell.
  void done.catch(() => undefined);
  try {
    return await Promise.race([done, late]);
  } finally {
    clearTimeout(timer);
    // A farewell, so that the server does not log a broken connection; nobody waits for its answer.
    void client.end().catch(() => undefined);
    socket.destroySoon();
  }
}

async function runIn<Result>(client: Client, work: (session: Session) => Promise<Result>): Promise<Result> {
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
 * What a failure is evidence of.
 *
 * - `unreachable`: nobody is there, or nobody who can answer.
 * - `busy`: somebody is there, and refuses for lack of room.
 * - `unknown`: our own names, credentials, rights or network failed; it says nothing about the other side.
 */
export type SqlFailureKind = 'unreachable' | 'busy' | 'unknown';

const NOBODY_THERE = new Set(['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT', 'EHOSTUNREACH', 'TIMEOUT', 'BROKEN']);
/** admin_shutdown, crash_shutdown, cannot_connect_now (starting up, shutting down). */
const SHUTTING_DOWN = new Set(['57P01', '57P02', '57P03']);

export function classifySqlFailure(failure: SqlFailure): SqlFailureKind {
  const { code } = failure;
  if (NOBODY_THERE.has(code) || SHUTTING_DOWN.has(code)) return 'unreachable';
  // Class 53: insufficient resources. It lives, and says so.
  return code.startsWith('53') ? 'busy' : 'unknown';
}
