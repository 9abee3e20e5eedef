import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

/**
 * - `grants`: answers every request with 200 and an echo of the request;
 * - `hangs`: accepts connections and never answers, as a suspended process does;
 * - `half-dead`: answers `/livez` and hangs on everything else, as a server whose database hangs;
 * - `overloaded`: answers, but never on `/livez`;
 * - `breaks`: closes the connection after receiving the request;
 * - `not-granting`: answers that it does not grant at this moment although its own region is active;
 * - `not-protected`: answers 503 `not_protected`;
 * - `elsewhere`: answers that another region is active.
 */
export type Behavior =
  | 'grants'
  | 'hangs'
  | 'half-dead'
  | 'overloaded'
  | 'breaks'
  | 'not-granting'
  | 'not-protected'
  | 'elsewhere';

export interface ReceivedRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/** An HTTP server on a free port that replaces a license server or a router in tests. */
export class FakeServer {
  readonly name: string;
  behavior: Behavior = 'grants';
  /** The number of requests whose connection will be closed, whatever the behavior. */
  breaksLeft = 0;
  /** Delays every answer except those of `/livez`. */
  answerAfterMs = 0;
  readonly seen: ReceivedRequest[] = [];
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;
  #port = 0;

  constructor(name: string) {
    this.name = name;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  get port(): number {
    return this.#port;
  }

  /** The received requests without the probes. */
  get requests(): ReceivedRequest[] {
    return this.seen.filter(({ url }) => url !== '/livez');
  }

  async start(): Promise<this> {
    const server = createServer((request, response) => this.#answer(request, response));
    server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
    await new Promise<void>((resolve) => server.listen(this.#port, '127.0.0.1', resolve));
    this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
    return this;
  }

  /** Ends as after SIGKILL: closes every connection and stops listening. A later start uses the same port. */
  async die(): Promise<void> {
    const server = this.#server;
    if (!server) return;
    this.#server = undefined;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const seen = {
        method: request.method ?? '',
        url: request.url ?? '',
        headers: request.headers,
        body: Buffer.concat(chunks).toString('utf8'),
      };
      this.seen.push(seen);
      if (this.answerAfterMs === 0 || seen.url === '/livez') this.#reply(seen, response);
      else setTimeout(() => this.#reply(seen, response), this.answerAfterMs);
    });
  }

  #reply(seen: ReceivedRequest, response: ServerResponse): void {
    const probe = seen.url === '/livez';
    if (this.behavior === 'hangs' || this.behavior === (probe ? 'overloaded' : 'half-dead')) return;
    if (!probe && (this.behavior === 'breaks' || this.breaksLeft > 0)) {
      this.breaksLeft -= 1;
      response.destroy();
      return;
    }
    if (this.behavior === 'not-protected' && !probe) {
      response.writeHead(503, { 'content-type': 'application/problem+json', 'retry-after': '1' });
      response.end(JSON.stringify({ code: 'not_protected', servedBy: this.name }));
      return;
    }
    const refusal =
      this.behavior === 'not-granting' ? 'oregon' : this.behavior === 'elsewhere' ? 'virginia' : undefined;
    if (refusal && !probe) {
      response.writeHead(503, { 'content-type': 'application/problem+json', 'retry-after': '1' });
      response.end(JSON.stringify({ code: 'not_granting', activeRegion: refusal, servedBy: this.name }));
      return;
    }
    response.writeHead(200, { 'content-type': 'application/json', 'x-served-by': this.name });
    response.end(JSON.stringify({ ...seen, servedBy: this.name }));
  }
}
