import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

/**
 * - `grants`: answers everything with 200 and what it saw;
 * - `hangs`: accepts and never answers, as a stopped process does;
 * - `half-dead`: answers `/livez` and hangs on everything else, as a server whose database hangs;
 * - `overloaded`: answers, but its `/livez` comes too late for any probe;
 * - `breaks`: closes the connection with the request on it;
 * - `not-granting`: says that its region is the active one, but it does not grant at this moment;
 * - `elsewhere`: says that another region is the active one.
 */
export type Behavior = 'grants' | 'hangs' | 'half-dead' | 'overloaded' | 'breaks' | 'not-granting' | 'elsewhere';

export interface ReceivedRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/** A real HTTP server on a free port that stands for a license server or a router. */
export class FakeServer {
  readonly name: string;
  behavior: Behavior = 'grants';
  /** So many of the next requests end with their connection, whatever the mood. */
  breaksLeft = 0;
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

  /** What it was asked, without the probes. */
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

  /** Dies as by SIGKILL: every connection is cut, nobody listens any more. A later start takes the same port. */
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
      this.#reply(seen, response);
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
