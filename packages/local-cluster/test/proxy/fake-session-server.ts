import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';

/** An in-memory license server with WebSocket sessions. It answers each text with its name and that text. */
export class FakeSessionServer {
  readonly name: string;
  /** `hangs`: never answers; `not-granting`: refuses upgrades although its own region is active. */
  behavior: 'serves' | 'hangs' | 'not-granting' = 'serves';
  readonly upgrades: IncomingMessage[] = [];
  /** The close code of each ended session. */
  readonly ends: number[] = [];
  readonly #sockets = new Set<Socket>();
  readonly #sessions = new WebSocketServer({ noServer: true, handleProtocols: () => 'evergrant.v1' });
  #server: Server | undefined;
  #port = 0;

  constructor(name: string) {
    this.name = name;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  get open(): number {
    return this.#sessions.clients.size;
  }

  async start(): Promise<this> {
    const server = createServer((_request, response) => {
      if (this.behavior !== 'hangs') response.end('{}');
    });
    server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
    server.on('upgrade', (request, socket, head) => {
      if (this.behavior === 'hangs') return;
      this.upgrades.push(request);
      if (this.behavior === 'serves')
        this.#sessions.handleUpgrade(request, socket, head, (session) => this.#serve(session));
      else this.#refuse(socket as Socket);
    });
    await new Promise<void>((resolve) => server.listen(this.#port, '127.0.0.1', resolve));
    this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
    return this;
  }

  async die(): Promise<void> {
    const server = this.#server;
    if (!server) return;
    this.#server = undefined;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #serve(session: WebSocket): void {
    session.on('message', (text) => session.send(`${this.name}: ${text}`));
    session.on('close', (code) => this.ends.push(code));
    session.on('error', () => undefined);
    session.send(`${this.name} greets`);
  }

  #refuse(socket: Socket): void {
    const body = JSON.stringify({ code: 'not_granting', activeRegion: 'oregon' });
    socket.end(
      `HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\ncontent-type: application/problem+json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    );
  }
}
