import { request as requestPlain } from 'node:http';
import { request as requestEncrypted } from 'node:https';

export interface Call {
  readonly method: 'GET' | 'PUT' | 'POST';
  readonly url: string;
  /** Bearer token. */
  readonly token?: string;
  readonly body?: unknown;
  /** For the whole call, from connecting to the last byte. */
  readonly timeoutMs: number;
}

export interface Answer {
  readonly status: number;
  /** The parsed body; null when it was no JSON object. */
  readonly json: Readonly<Record<string, unknown>> | null;
}

/** A call that got no answer. `code` is the system's (ECONNREFUSED, ENOTFOUND, …) or `TIMEOUT`. */
export class CallFailure extends Error {
  readonly code: string;

  constructor(cause: NodeJS.ErrnoException) {
    super(cause.message === '' ? (cause.code ?? 'failed without a word') : cause.message, { cause });
    this.name = 'CallFailure';
    this.code = cause.code ?? 'BROKEN';
  }
}

const BODY_BYTES_MAX = 1_048_576;
/** Web application firewalls refuse callers that do not say what they are. */
const USER_AGENT = 'evergrant-controller';

/** One HTTP call on a connection of its own, which is destroyed when time runs out. Throws `CallFailure`. */
export function call({ method, url, token, body, timeoutMs }: Call): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const content = body === undefined ? null : Buffer.from(JSON.stringify(body));
    const headers = {
      'user-agent': USER_AGENT,
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(content === null ? {} : { 'content-type': 'application/json', 'content-length': content.length }),
    };
    // No keep-alive: a probe that rides on yesterday's connection does not prove that today's can be made.
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

function parse(text: string): Answer['json'] {
  try {
    const parsed: unknown = JSON.parse(text);
    return typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)
      ? (parsed as Record<string, unknown>)
      : null;
  } catch {
    return null;
  }
}
