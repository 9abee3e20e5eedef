import { generateKeyPairSync, randomUUID, sign } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';

export interface LeaseSubject {
  readonly method: string;
  readonly path: string;
  readonly authorization: string | undefined;
  readonly body: Record<string, unknown>;
  readonly atMs: number;
  readonly over: 'http' | 'session';
}

/**
 * - `grants`: follows the contract.
 * - `refers`: returns 503 not_granting with {@link LicenseService.referral}.
 * - `hangs`: accepts and never responds. `swallows`: executes the request, and the response is lost.
 * - `full`, `gone`, `unknown`, `proxy-404`, `forbids`, `busy`: responds with 409, 410, 404, a foreign 404, 403, 429.
 * - `forgot`: grants, but returns lease_not_found for forgotten leases (see `forget`).
 * - `forges`: grants with tokens signed with another key.
 */
export type Mood =
  | 'grants'
  | 'refers'
  | 'hangs'
  | 'swallows'
  | 'full'
  | 'gone'
  | 'unknown'
  | 'proxy-404'
  | 'forbids'
  | 'busy'
  | 'forgot'
  | 'forges';

const PROBLEMS: Partial<Record<Mood, { status: number; code: string }>> = {
  full: { status: 409, code: 'no_seat_available' },
  gone: { status: 410, code: 'lease_expired' },
  unknown: { status: 404, code: 'lease_not_found' },
  'proxy-404': { status: 404, code: 'not_found' },
  forbids: { status: 403, code: 'forbidden' },
  busy: { status: 429, code: 'too_many_requests' },
};

const METHODS = { checkout: 'PUT', heartbeat: 'POST', release: 'DELETE' } as const;

interface Reply {
  readonly status: number;
  readonly body?: Record<string, unknown>;
  readonly headers?: Record<string, string>;
}

type Answering = Reply | 'nothing' | 'cut';

const newKey = () => generateKeyPairSync('ed25519');

/** The key of all services of a test, as all regions of a deployment share one. */
const SERVICE_KEY = newKey();
const FOREIGN_KEY = newKey();

export const KEY_ID = 'service-1';

export const JWKS = {
  keys: [{ ...(SERVICE_KEY.publicKey.export({ format: 'jwk' }) as object), kid: KEY_ID, alg: 'EdDSA', use: 'sig' }],
};

const base64url = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

export function signedToken(claims: object, key = SERVICE_KEY, kid = KEY_ID): string {
  const signed = `${base64url({ alg: 'EdDSA', kid, typ: 'evergrant-lease+jwt' })}.${base64url(claims)}`;
  return `${signed}.${sign(null, Buffer.from(signed), key.privateKey).toString('base64url')}`;
}

interface Held {
  readonly product: string;
  readonly feature: string;
  readonly seats: number;
  readonly holder: string;
  readonly identity: string | undefined;
}

/** A real server that implements the contract in memory, over HTTP and sessions. The tests choose its faults. */
export class LicenseService {
  readonly name: string;
  mood: Mood = 'grants';
  /** False: no sessions, as in an older release or behind a proxy that blocks WebSocket. */
  offersSessions = true;
  referral: string | null = null;
  retryAfterSeconds = 0;
  epoch = 1;
  ttlMs = 60_000;
  heartbeatAfterMs = 20_000;
  policy = { graceSeconds: 172_800, suspendAfterSeconds: 2_592_000 };
  pingEverySeconds = 15;
  /** Offset of its clock to this machine's clock. */
  clockAheadMs = 0;
  /** Places in the queue before a checkout with `queue`. Undefined: there is no queue. */
  line: number | undefined;
  /** A method whose requests are neither executed nor answered. */
  deafTo: 'PUT' | 'POST' | 'DELETE' | undefined;
  readonly asked: LeaseSubject[] = [];
  readonly live = new Set<string>();
  readonly tokens: string[] = [];
  readonly sessions = new Set<WebSocket>();
  readonly #held = new Map<string, Held>();
  /** By lease id: the nonce of its newest request. */
  readonly #nonces = new Map<string, unknown>();
  readonly #sockets = new Set<Socket>();
  readonly #upgrades = new WebSocketServer({ noServer: true });
  #server: Server | undefined;
  #port = 0;

  constructor(name: string) {
    this.name = name;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  asks(method: string): LeaseSubject[] {
    return this.asked.filter((asked) => asked.method === method && !asked.path.startsWith('/.well-known'));
  }

  /** Forgets every lease, as another region does, or a database that lost its last commits. */
  forget(): void {
    this.live.clear();
    this.#held.clear();
  }

  async start(): Promise<this> {
    const server = createServer((request, response) => this.#read(request, response));
    server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
    server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket as Socket, head));
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

  /** Sends a message to every session and closes it, as a server that drains or loses authority does. */
  sendAway(event: 'not_granting' | 'draining', address: string | null, retryAfter = 0): void {
    for (const session of this.sessions) {
      session.send(JSON.stringify({ event, reason: event, activeRegion: 'elsewhere', address, retryAfter }));
      session.close(1012);
    }
  }

  /** Pushes an update to every queued checkout. */
  pushLine(leaseId: string, reply: Reply): void {
    for (const session of this.sessions) session.send(JSON.stringify({ event: 'queue', leaseId, ...reply }));
  }

  granted(leaseId: string): Reply {
    return { status: 201, body: this.#lease(leaseId) };
  }

  #upgrade(request: IncomingMessage, socket: Socket, head: Buffer): void {
    socket.on('error', () => undefined);
    const { authorization } = request.headers;
    const asked = { method: 'GET', path: '/v1/session', authorization, body: {}, atMs: performance.now() };
    this.asked.push({ ...asked, over: 'http' });
    if (this.mood === 'hangs') return;
    if (!this.offersSessions) {
      socket.end('HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n');
      return;
    }
    if (this.mood === 'refers') {
      const { body, headers } = this.#referral();
      const text = JSON.stringify(body);
      socket.end(
        `HTTP/1.1 503 Service Unavailable\r\nretry-after: ${headers?.['retry-after']}\r\ncontent-length: ${text.length}\r\n\r\n${text}`,
      );
      return;
    }
    this.#upgrades.handleUpgrade(request, socket, head, (session) => this.#serve(session, authorization));
  }

  #serve(session: WebSocket, authorization: string | undefined): void {
    this.sessions.add(session);
    const leases = new Set<string>();
    session.on('close', () => this.sessions.delete(session));
    session.on('error', () => undefined);
    session.on('message', (content) => {
      const { id, op, leaseId, ...body } = JSON.parse(String(content)) as Record<string, unknown>;
      const method = METHODS[op as keyof typeof METHODS];
      const suffix = op === 'heartbeat' ? '/heartbeat' : '';
      const ask = (lease: string): Answering => {
        const path = `/v1/leases/${lease}${suffix}`;
        const asked = { method, path, authorization, body, atMs: performance.now(), over: 'session' as const };
        this.asked.push(asked);
        const answer = this.#answer(asked);
        const status = typeof answer === 'string' ? 0 : answer.status;
        if (status === 200 || status === 201) leases.add(String((answer as Reply).body?.leaseId ?? lease));
        if (status === 204 || status === 404 || status === 410) leases.delete(lease);
        return answer;
      };
      if (leaseId !== undefined) this.#say(session, id, ask(String(leaseId)));
      else
        this.#sayAll(
          session,
          id,
          [...leases].map((lease) => [lease, ask(lease)] as const),
        );
    });
    const { pingEverySeconds } = this;
    session.send(JSON.stringify({ event: 'hello', server: `${this.name}/app-1`, pingEverySeconds, leasesMax: 500 }));
  }

  #say(session: WebSocket, id: unknown, answer: Answering): void {
    if (answer === 'nothing') return;
    if (answer === 'cut') {
      session.terminate();
      return;
    }
    const { status, body, headers } = answer;
    const retryAfter = headers?.['retry-after'];
    session.send(
      JSON.stringify({
        id,
        status,
        ...(body ? { body } : {}),
        ...(retryAfter ? { retryAfter: Number(retryAfter) } : {}),
      }),
    );
  }

  #sayAll(session: WebSocket, id: unknown, answers: readonly (readonly [string, Answering])[]): void {
    const failed = answers.find(([, answer]) => typeof answer === 'string' || answer.status === 503)?.[1];
    if (failed) {
      this.#say(session, id, failed);
      return;
    }
    const leases = answers.map(([leaseId, answer]) => ({ leaseId, ...(answer as Reply) }));
    session.send(JSON.stringify({ id, status: 200, body: { leases, heartbeatAfter: this.heartbeatAfterMs / 1_000 } }));
  }

  #read(request: IncomingMessage, response: ServerResponse): void {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const text = Buffer.concat(chunks).toString('utf8');
      const { method = '', url: path = '', headers } = request;
      const body = text === '' ? {} : (JSON.parse(text) as Record<string, unknown>);
      const { authorization } = headers;
      const asked = { method, path, authorization, body, atMs: performance.now(), over: 'http' as const };
      this.asked.push(asked);
      const answer = this.#answer(asked);
      if (answer === 'nothing') return;
      if (answer === 'cut') {
        response.destroy();
        return;
      }
      response.writeHead(answer.status, { 'content-type': 'application/json', ...answer.headers });
      response.end(answer.body && JSON.stringify(answer.body));
    });
  }

  #answer({ method, path, body }: LeaseSubject): Answering {
    if (this.mood === 'hangs' || method === this.deafTo) return 'nothing';
    const refusal = PROBLEMS[this.mood];
    if (path === '/v1/status') return { status: 200, body: { granting: this.mood !== 'refers', region: this.name } };
    if (path === '/.well-known/jwks.json') return { status: 200, body: JWKS };
    if (this.mood === 'refers') return this.#referral();
    if (refusal) {
      const headers = this.retryAfterSeconds > 0 ? { 'retry-after': String(this.retryAfterSeconds) } : {};
      return { status: refusal.status, body: { code: refusal.code }, headers };
    }
    return this.#onLease(method, path.split('/')[3] ?? '', body);
  }

  #onLease(method: string, asked: string, body: Record<string, unknown>): Answering {
    this.#nonces.set(asked, body.nonce);
    if (method === 'PUT' && body.queue === true && this.line !== undefined && this.line > 0) {
      const retryAfter = 0.05;
      return { status: 202, body: { leaseId: asked, position: this.line, token: 'place-token', retryAfter } };
    }
    if (this.mood === 'forgot' && method === 'POST' && !this.live.has(asked)) {
      return { status: 404, body: { code: 'lease_not_found' } };
    }
    const leaseId = method === 'PUT' ? this.#take(asked, body) : asked;
    this.#nonces.set(leaseId, body.nonce);
    if (method === 'DELETE') this.live.delete(leaseId);
    else this.live.add(leaseId);
    if (this.mood === 'swallows') return 'cut';
    if (method === 'DELETE') return { status: 204 };
    return { status: method === 'PUT' ? 201 : 200, body: this.#lease(leaseId, body.borrowSeconds) };
  }

  /** An installation receives its live lease of the same seats again. */
  #take(leaseId: string, body: Record<string, unknown>): string {
    const { product, feature, seats, holder, identity } = body as unknown as Held;
    const same = [...this.#held].find(
      ([id, held]) =>
        identity !== undefined && this.live.has(id) && held.identity === identity && held.feature === feature,
    );
    if (same) return same[0];
    this.#held.set(leaseId, { product, feature, seats, holder, identity });
    return leaseId;
  }

  #referral(): Reply {
    return {
      status: 503,
      body: { code: 'not_granting', activeRegion: 'elsewhere', address: this.referral },
      headers: { 'retry-after': String(this.retryAfterSeconds) },
    };
  }

  #lease(leaseId: string, borrowSeconds?: unknown): Record<string, unknown> {
    const held = this.#held.get(leaseId);
    const { product = 'studio', feature = 'bot-runner', seats = 2, holder = '?', identity } = held ?? {};
    const nowMs = Date.now() + this.clockAheadMs;
    const lastsMs = typeof borrowSeconds === 'number' ? borrowSeconds * 1_000 : this.ttlMs;
    const [iat, exp] = [nowMs / 1_000, (nowMs + lastsMs) / 1_000].map(Math.floor);
    const { epoch, policy } = this;
    const claims = {
      iss: 'evergrant',
      jti: leaseId,
      sub: holder,
      pool: { license: 'lic-1', product, feature },
      policy,
      ...(identity === undefined ? {} : { identity }),
      ...(borrowSeconds === undefined ? {} : { borrowed: true }),
    };
    const nonce = this.#nonces.get(leaseId) ?? randomUUID();
    const key = this.mood === 'forges' ? FOREIGN_KEY : SERVICE_KEY;
    const token = signedToken({ ...claims, seats, seq: 1, epoch, iat, exp, nonce }, key);
    this.tokens.push(token);
    return {
      leaseId,
      licenseId: 'lic-1',
      token,
      expiresAt: new Date(nowMs + lastsMs).toISOString(),
      serverTime: new Date(nowMs).toISOString(),
      heartbeatAfter: this.heartbeatAfterMs / 1_000,
      epoch,
      servedBy: `${this.name}/app-1`,
      policy,
      ...(borrowSeconds === undefined ? {} : { borrowed: true }),
    };
  }
}
