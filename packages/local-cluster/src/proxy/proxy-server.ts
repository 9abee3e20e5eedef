import {
  createServer,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type Server,
  type ServerResponse,
  STATUS_CODES,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Logger } from 'pino';
import { LOOPBACK } from '../layout';
import { problem } from './problems';
import type { Reply, RequestContext, Responder, UpgradeOutcome, Upgrader } from './request-context';
import { cut, join, type OpenTunnel } from './tunnel';

/** A checkout has a few hundred bytes, so a larger body is an error or an attack. */
const BODY_BYTES_MAX = 1024 * 1024;
const DRAIN_MS_MAX = 5_000;

const TOO_LARGE = Symbol('too large');

function readBody(request: IncomingMessage): Promise<Buffer | undefined | typeof TOO_LARGE> {
  const { 'content-length': length, 'transfer-encoding': encoding } = request.headers;
  if (encoding === undefined && (length === undefined || length === '0')) return Promise.resolve(undefined);
  if (Number(length) > BODY_BYTES_MAX) return Promise.resolve(TOO_LARGE);
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > BODY_BYTES_MAX) resolve(TOO_LARGE);
      else chunks.push(chunk);
    });
    request.once('end', () => resolve(chunks.length === 1 ? chunks[0] : Buffer.concat(chunks)));
    request.once('error', reject);
    request.once('close', () => reject(new Error('the client closed the connection')));
  });
}

function requestContextOf(request: IncomingMessage, body: Buffer | undefined): RequestContext {
  const target = request.url ?? '/';
  const query = target.indexOf('?');
  return {
    method: request.method ?? 'GET',
    target,
    path: query === -1 ? target : target.slice(0, query),
    headers: request.headers,
    rawHeaders: request.rawHeaders,
    body,
    remoteAddress: request.socket.remoteAddress ?? 'unknown',
  };
}

async function answer(request: IncomingMessage, respond: Responder): Promise<Reply> {
  // Only origin-form targets: the next server could interpret an absolute URL or `*` differently.
  if (!request.url?.startsWith('/')) {
    return problem({ status: 400, code: 'invalid_request', title: 'The request target must be a path' });
  }
  const body = await readBody(request);
  if (body === TOO_LARGE) {
    const reply = problem({ status: 413, code: 'body_too_large', title: 'The body is larger than 1 MiB' });
    return { ...reply, headers: { ...reply.headers, connection: 'close' } };
  }
  return respond(requestContextOf(request, body));
}

function send(response: ServerResponse, reply: Reply, closeConnection: boolean): void {
  if (response.destroyed) return;
  const headers = { ...reply.headers };
  if (closeConnection) headers.connection = 'close';
  // Answers to HEAD, 204 and 304 have no body. Their content-length is the upstream's.
  const bodiless = response.req.method === 'HEAD' || reply.status === 204 || reply.status === 304;
  if (!bodiless) headers['content-length'] = reply.body === undefined ? 0 : Buffer.byteLength(reply.body);
  response.writeHead(reply.status, headers);
  response.end(bodiless ? undefined : reply.body);
}

function headText(status: number, headers: OutgoingHttpHeaders): string {
  const lines = Object.entries(headers).flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value]).map((each) => `${name}: ${each}`),
  );
  return [`HTTP/1.1 ${status} ${STATUS_CODES[status]}`, ...lines, '', ''].join('\r\n');
}

/** Answers a refused upgrade on the raw socket and closes it. */
function refuse(socket: Duplex, { status, headers, body = '' }: Reply): void {
  const responseHeaders = { ...headers, 'content-length': Buffer.byteLength(body), connection: 'close' };
  socket.write(headText(status, responseHeaders));
  socket.end(body);
}

export interface ProxyServerOptions {
  readonly port: number;
  readonly respond: Responder;
  /** @default upgrades are refused */
  readonly upgrade?: Upgrader;
  readonly logger: Logger;
}

/** An HTTP/1.1 server on the loopback address that passes every request to one function. */
export class ProxyServer {
  readonly #server: Server;
  readonly #port: number;
  readonly #upgrade: Upgrader | undefined;
  readonly #logger: Logger;
  readonly #tunnels = new Set<OpenTunnel>();
  #draining = false;

  constructor({ port, respond, upgrade, logger }: ProxyServerOptions) {
    this.#port = port;
    this.#upgrade = upgrade;
    this.#logger = logger;
    // Longer than a client's heartbeat interval, so that heartbeats reuse their connection.
    this.#server = createServer({ keepAliveTimeout: 65_000, headersTimeout: 10_000, requestTimeout: 10_000 });
    this.#server.on('request', (request, response) => {
      answer(request, respond)
        .catch((error: Error) => {
          if (!request.destroyed) logger.error({ err: error }, 'request failed');
          return problem({ status: 500, code: 'internal_error', title: 'Internal error' });
        })
        .then((reply) => send(response, reply, this.#draining))
        .catch((error: Error) => {
          logger.error({ err: error }, 'the answer could not be sent');
          response.destroy();
        });
    });
    this.#server.on('upgrade', (request, socket, head) => {
      socket.on('error', () => undefined);
      void this.#tunnel(request, socket, head);
    });
  }

  /** The port in use. With port 0 in the options, the one that the system assigned. */
  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** @throws the error of the listener, for example EADDRINUSE. */
  listen(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ port: this.#port, host: LOOPBACK, backlog: 1024 }, () => {
        this.#server.off('error', reject);
        resolve();
      });
    });
  }

  async #tunnel(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const outcome = await this.#upgradeOutcome(request).catch((error: Error): UpgradeOutcome => {
      this.#logger.error({ err: error }, 'upgrade failed');
      return {
        kind: 'refused',
        reply: problem({ status: 500, code: 'internal_error', title: 'Internal error' }),
      };
    });
    if (outcome.kind === 'refused') {
      refuse(socket, outcome.reply);
      return;
    }
    this.#tunnels.add(outcome);
    outcome.socket.once('close', () => this.#tunnels.delete(outcome));
    socket.write(headText(101, { ...outcome.headers, connection: 'Upgrade', upgrade: 'websocket' }));
    join(socket, outcome, head);
    if (this.#draining) cut(outcome);
  }

  async #upgradeOutcome(request: IncomingMessage): Promise<UpgradeOutcome> {
    if (!this.#upgrade || request.headers.upgrade?.toLowerCase() !== 'websocket' || !request.url?.startsWith('/')) {
      const reply = problem({ status: 400, code: 'invalid_request', title: 'This connection cannot be upgraded' });
      return { kind: 'refused', reply };
    }
    return this.#upgrade(requestContextOf(request, undefined));
  }

  /** Accepts no new connections, finishes the requests in flight (for at most 5 s), then closes every connection. */
  async close(): Promise<void> {
    this.#draining = true;
    for (const tunnel of this.#tunnels) cut(tunnel);
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    const sweep = setInterval(() => this.#server.closeIdleConnections(), 50);
    const limit = setTimeout(() => this.#server.closeAllConnections(), DRAIN_MS_MAX);
    await closed;
    clearInterval(sweep);
    clearTimeout(limit);
  }
}
