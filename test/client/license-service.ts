import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly authorization: string | undefined;
  readonly body: Record<string, unknown>;
  readonly atMs: number;
}

/**
 * - `grants`: as the contract says;
 * - `refers`: 503 not_granting with {@link LicenseService.referral};
 * - `hangs`: accepts and never answers; `swallows`: does what it is asked, and the answer is lost;
 * - `full`, `gone`, `unknown`, `proxy-404`, `forbids`: answers leases with 409, 410, 404, a foreign 404, 403.
 */
export type Mood = 'grants' | 'refers' | 'hangs' | 'swallows' | 'full' | 'gone' | 'unknown' | 'proxy-404' | 'forbids';

const PROBLEMS: Partial<Record<Mood, { status: number; code: string }>> = {
  full: { status: 409, code: 'no_seat_available' },
  gone: { status: 410, code: 'lease_expired' },
  unknown: { status: 404, code: 'lease_not_found' },
  'proxy-404': { status: 404, code: 'not_found' },
  forbids: { status: 403, code: 'forbidden' },
};

/** A real HTTP server that speaks the contract from memory; what goes wrong with it is up to the test. */
export class LicenseService {
  readonly name: string;
  mood: Mood = 'grants';
  referral: string | null = null;
  retryAfterSeconds = 0;
  epoch = 1;
  ttlMs = 60_000;
  heartbeatAfterMs = 20_000;
  readonly asked: Asked[] = [];
  readonly live = new Set<string>();
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;
  #port = 0;
  #tokens = 0;

  constructor(name: string) {
    this.name = name;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  asks(method: string): Asked[] {
    return this.asked.filter((asked) => asked.method === method);
  }

  async start(): Promise<this> {
    const server = createServer((request, response) => this.#read(request, response));
    server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
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

  #read(request: IncomingMessage, response: ServerResponse): void {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const text = Buffer.concat(chunks).toString('utf8');
      const { method = '', url: path = '', headers } = request;
      const body = text === '' ? {} : (JSON.parse(text) as Record<string, unknown>);
      const asked = { method, path, authorization: headers.authorization, body, atMs: performance.now() };
      this.asked.push(asked);
      this.#answer(asked, response);
    });
  }

  #answer({ method, path }: Asked, response: ServerResponse): void {
    const send = (status: number, body?: Record<string, unknown>, headers: Record<string, string> = {}): void => {
      response.writeHead(status, { 'content-type': 'application/json', ...headers });
      response.end(body && JSON.stringify(body));
    };
    if (this.mood === 'hangs') return;
    const refusal = PROBLEMS[this.mood];
    if (path === '/v1/status') {
      send(200, { granting: this.mood !== 'refers', region: this.name });
    } else if (this.mood === 'refers') {
      const body = { code: 'not_granting', activeRegion: 'elsewhere', address: this.referral };
      send(503, body, { 'retry-after': String(this.retryAfterSeconds) });
    } else if (refusal) {
      send(refusal.status, { code: refusal.code });
    } else {
      const leaseId = path.split('/')[3] ?? '';
      if (method === 'DELETE') this.live.delete(leaseId);
      else this.live.add(leaseId);
      if (this.mood === 'swallows') response.destroy();
      else if (method === 'DELETE') send(204);
      else send(method === 'PUT' ? 201 : 200, this.#lease(leaseId));
    }
  }

  #lease(leaseId: string): Record<string, unknown> {
    this.#tokens += 1;
    return {
      leaseId,
      token: `${this.name}-token-${this.#tokens}`,
      expiresAt: new Date(Date.now() + this.ttlMs).toISOString(),
      heartbeatAfter: this.heartbeatAfterMs / 1_000,
      epoch: this.epoch,
      servedBy: `${this.name}/app-1`,
    };
  }
}
