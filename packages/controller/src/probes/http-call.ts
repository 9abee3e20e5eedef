import { request as requestPlain } from 'node:http';
import { request as requestEncrypted } from 'node:https';

export interface Call {
  readonly method: 'GET' | 'PUT' | 'POST';
  readonly url: string;
  /** Bearer token. */
  readonly token?: string;
  readonly body?: unknown;
  /** Time-out of the whole call, from connecting to the last byte. */
  readonly timeoutMs: number;
}

export interface HttpResponse {
  readonly status: number;
  /** The parsed body; undefined if it is not a JSON object. */
  readonly json: Readonly<Record<string, unknown>> | undefined;
}

/** A call without an answer. `code` is the system's (ECONNREFUSED, ENOTFOUND, …) or `TIMEOUT`. */
export class CallFailure extends Error {
  readonly code: string;

  constructor(cause: NodeJS.ErrnoException) {
    super(cause.message === '' ? (cause.code ?? 'failed without a message') : cause.message, { cause });
    this.name = 'CallFailure';
    this.code = cause.code ?? 'BROKEN';
  }
}

const BODY_BYTES_MAX = 1_048_576;
/** Web application firewalls refuse callers without a user agent. */
const USER_AGENT = 'evergrant-controller';

/** One HTTP call on its own connection, which is destroyed at the time-out. Throws `CallFailure`. */
export function call({ method, url, token, body, timeoutMs }: Call): Promise<HttpResponse> {
  return new Promise((resolve, reject) => {
    const content = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
    const headers = {
      'user-agent': USER_AGENT,
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(content === undefined ? {} : { 'content-type': 'application/json', 'content-length': content.length }),
    };
    // No keep-alive: a probe on an existing connection does not prove that a new one can be made.
    const request = url.startsWith('https:') ? requestEncrypted : requestPlain;
    const outgoing = request(url, { method, headers, agent: false });
    const timer = setTimeout(() => {
      outgoing.destroy(Object.assign(new Error(`no answer within ${timeoutMs} ms`), { code: 'TIMEOUT' }));
    }, timeoutMs);
    const fail = (cause: NodeJS.ErrnoException): void => {
      clearTimeout(timer);
      reject(new CallFailure(cause));
    };
    outgoing.once('error', fail);
    outgoing.once('response', (incoming) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      incoming.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > BODY_BYTES_MAX) outgoing.destroy(new Error('the answer is too long'));
        chunks.push(chunk);
      });
      incoming.once('error', fail);
      incoming.once('end', () => {
        clearTimeout(timer);
        resolve({ status: incoming.statusCode ?? 0, json: parse(Buffer.concat(chunks).toString('utf8')) });
      });
    });
    outgoing.end(content);
  });
}

function parse(text: string): HttpResponse['json'] {
  try {
    const parsed: unknown = JSON.parse(text);
    return typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)
      ? (parsed as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}
