import type { ClientRequest, IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { WebSocket } from 'ws';
import type { Cancel, ClientClock } from '../time/clock';
import type { CallResponse, ClientCall, SendTerms, TransportResult } from './call';

/** A server ends the session and may name another address. */
export interface Redirect {
  readonly address: string | undefined;
  /** Minimum delay before the next request. */
  readonly retryAfterMs: number;
}

/** The server pushes a new state of a queued checkout. */
export interface QueueUpdate {
  readonly leaseId: string;
  readonly answer: CallResponse;
}

export interface SessionClosed {
  readonly reason: string;
  readonly redirect: Redirect | undefined;
}

export interface WebSocketSessionOptions {
  readonly address: string;
  readonly token: string;
  readonly timeoutMs: number;
  readonly clock: ClientClock;
  readonly onQueueUpdate: (news: QueueUpdate) => void;
  readonly onEnd: (end: SessionClosed) => void;
}

export type OpenResult =
  | { readonly kind: 'open'; readonly session: WebSocketSession }
  /** The server rejected the upgrade with a problem document, which answers the request as well. */
  | { readonly kind: 'answered'; readonly answer: CallResponse }
  /** The address offers no session at present: use HTTP. */
  | { readonly kind: 'not_offered' }
  | { readonly kind: 'failed'; readonly reason: string };

const SUBPROTOCOL = 'evergrant.v1';
/** `ws` sends no user agent, and web application firewalls block requests without one. */
const USER_AGENT = 'evergrant-client';
const MESSAGE_BYTES_MAX = 4 * 1024 * 1024;
const REJECTION_BYTES_MAX = 64 * 1024;
const PING_EVERY_SECONDS_DEFAULT = 15;
/** Close code that shows the server that the client did not crash. */
const NORMAL_CLOSURE = 1000;
/** A rejected upgrade with one of these, or with 5xx, concerns the caller or the service and not the WebSocket. */
const FINAL_STATUSES: ReadonlySet<number> = new Set([401, 403, 429]);
const NOT_IMPLEMENTED = 501;
const TOO_MANY_SESSIONS = 'too_many_sessions';

type Message = Readonly<Record<string, unknown>>;

interface LeaseSubject {
  readonly sentAtMs: number;
  readonly settle: (answer: TransportResult) => void;
}

const asMessage = (value: unknown): Message =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};

function parsed(text: string): Message {
  try {
    return asMessage(JSON.parse(text));
  } catch {
    return {};
  }
}

function responseOf({ status, body, retryAfter }: Message, sentAtMs: number): CallResponse {
  return {
    kind: 'response',
    status: typeof status === 'number' ? status : 0,
    body: asMessage(body),
    retryAfterMs: typeof retryAfter === 'number' ? retryAfter * 1_000 : undefined,
    serverDateMs: undefined,
    sentAtMs,
  };
}

/** One WebSocket to one server and its pending requests. docs/sessions.md defines the messages. */
export class WebSocketSession {
  readonly address: string;
  readonly #options: WebSocketSessionOptions;
  readonly #socket: WebSocket;
  readonly #asked = new Map<number, LeaseSubject>();
  /** Leases that the server associates with this session. */
  readonly #leases = new Set<string>();
  readonly #holds = { count: 0, socket: undefined as Socket | undefined };
  #id = 0;
  #pingEveryMs = PING_EVERY_SECONDS_DEFAULT * 1_000;
  #confirmedAtMs: number;
  #watch: Cancel = () => undefined;
  #redirect: Redirect | undefined;
  #reason: string | undefined;

  private constructor(options: WebSocketSessionOptions) {
    this.#options = options;
    this.address = options.address;
    this.#confirmedAtMs = options.clock.nowMs();
    const url = `${options.address.replace(/^http/, 'ws')}/v1/session`;
    this.#socket = new WebSocket(url, [SUBPROTOCOL], {
      headers: { authorization: `Bearer ${options.token}`, 'user-agent': USER_AGENT },
      handshakeTimeout: options.timeoutMs,
      perMessageDeflate: false,
      maxPayload: MESSAGE_BYTES_MAX,
      followRedirects: false,
      finishRequest: (request: ClientRequest) => {
        request.on('socket', (socket) => this.#setProcessHold(socket));
        request.end();
      },
    });
  }

  /** Resolves when the server has sent `hello`, or when opening failed. Never rejects. */
  static open(options: WebSocketSessionOptions, terms: SendTerms): Promise<OpenResult> {
    const session = new WebSocketSession(options);
    const unhold = session.hold(terms);
    const onStop = (): void => session.#terminate('stopped');
    if (terms.stop.aborted) onStop();
    terms.stop.addEventListener('abort', onStop);
    return new Promise<OpenResult>((resolve) => session.#open(resolve)).finally(() => {
      terms.stop.removeEventListener('abort', onStop);
      unhold();
    });
  }

  get isOpen(): boolean {
    return this.#socket.readyState === WebSocket.OPEN && this.#redirect === undefined;
  }

  holds(leaseId: string): boolean {
    return this.#leases.has(leaseId);
  }

  /** Sends a request. A time-out ends the session, because the connection may be dead. */
  async ask(call: ClientCall, terms: SendTerms): Promise<TransportResult> {
    const { kind: op, leaseId, body } = call;
    const answer = await this.#send({ op, leaseId, ...body }, terms);
    if (answer.kind === 'response' && leaseId !== undefined) this.#trackLease(leaseId, answer);
    return answer;
  }

  /** Renews every lease of the session with one message. Returns one response for each lease, or one result for all. */
  async renewAll(
    terms: SendTerms & { readonly nonce: string },
  ): Promise<ReadonlyMap<string, CallResponse> | TransportResult> {
    const answer = await this.#send({ op: 'heartbeat', nonce: terms.nonce }, terms);
    if (answer.kind !== 'response' || answer.status !== 200) return answer;
    const { leases } = answer.body;
    const renewals = new Map<string, CallResponse>();
    for (const each of Array.isArray(leases) ? leases.map(asMessage) : []) {
      if (typeof each.leaseId !== 'string') continue;
      const response = responseOf(each, answer.sentAtMs);
      this.#trackLease(each.leaseId, response);
      renewals.set(each.leaseId, response);
    }
    return renewals;
  }

  /** Keeps the process alive until the returned function is called. */
  hold({ background }: Pick<SendTerms, 'background'>): Cancel {
    if (background) return () => undefined;
    const holds = this.#holds;
    holds.count += 1;
    holds.socket?.ref();
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      holds.count -= 1;
      if (holds.count === 0) holds.socket?.unref();
    };
  }

  /** `graceful` sends a close frame. Without it, the connection drops like that of a crashed process. */
  close({ graceful, reason }: { readonly graceful: boolean; readonly reason: string }): void {
    this.#reason ??= reason;
    if (graceful) this.#socket.close(NORMAL_CLOSURE);
    else this.#socket.terminate();
  }

  #open(resolve: (opening: OpenResult) => void): void {
    const socket = this.#socket;
    let refusal: OpenResult | undefined;
    let greeted = false;
    socket.on('unexpected-response', (_request: ClientRequest, response: IncomingMessage) => {
      void rejectedOpenResult(response, this.#confirmedAtMs).then((opening) => {
        refusal = opening;
        resolve(opening);
        socket.terminate();
      });
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.#reason ??= error.code ?? error.message;
    });
    socket.on('ping', () => this.#markAlive());
    socket.on('message', (content, isBinary) => {
      this.#markAlive();
      if (isBinary) return;
      const message = parsed(String(content));
      if (message.event === 'hello' && !greeted) {
        greeted = true;
        this.#startSession(message);
        resolve({ kind: 'open', session: this });
      } else {
        this.#receive(message);
      }
    });
    socket.on('close', () => {
      this.#watch();
      const reason = this.#reason ?? 'the connection was closed';
      resolve(refusal ?? { kind: 'failed', reason });
      for (const asked of this.#asked.values()) asked.settle({ kind: 'no_response', reason });
      this.#asked.clear();
      if (greeted) this.#options.onEnd({ reason, redirect: this.#redirect });
    });
    // A server that accepts the upgrade but sends no `hello` must not block the client.
    this.#watch = this.#options.clock.after(this.#options.timeoutMs, () => this.#terminate('no hello message'), {
      background: true,
    });
  }

  #startSession({ pingEverySeconds }: Message): void {
    if (typeof pingEverySeconds === 'number' && pingEverySeconds > 0) this.#pingEveryMs = pingEverySeconds * 1_000;
    this.#watch();
    this.#checkSilence();
  }

  /** A connection without a frame during twice the ping interval is dead. */
  #checkSilence(): void {
    const { clock } = this.#options;
    const silentForMs = clock.nowMs() - this.#confirmedAtMs;
    if (silentForMs >= 2 * this.#pingEveryMs) {
      this.#terminate('no frames received');
      return;
    }
    const leftMs = 2 * this.#pingEveryMs - silentForMs;
    this.#watch = clock.after(leftMs, () => this.#checkSilence(), { background: true });
  }

  #terminate(reason: string): void {
    this.#reason ??= reason;
    this.#socket.terminate();
  }

  #markAlive(): void {
    this.#confirmedAtMs = this.#options.clock.nowMs();
  }

  #receive(message: Message): void {
    const { event, id, leaseId } = message;
    if (typeof id === 'number') {
      const asked = this.#asked.get(id);
      this.#asked.delete(id);
      asked?.settle(responseOf(message, asked.sentAtMs));
    } else if (event === 'queue' && typeof leaseId === 'string') {
      const answer = responseOf(message, this.#options.clock.nowMs());
      this.#trackLease(leaseId, answer);
      this.#options.onQueueUpdate({ leaseId, answer });
    } else if (event === 'not_granting' || event === 'draining') {
      const { address, retryAfter } = message;
      this.#redirect = {
        address: typeof address === 'string' ? address : undefined,
        retryAfterMs: typeof retryAfter === 'number' ? retryAfter * 1_000 : 0,
      };
      this.#reason ??= event;
    }
  }

  #trackLease(leaseId: string, { status, body }: CallResponse): void {
    const held = typeof body.leaseId === 'string' ? body.leaseId : leaseId;
    if (status === 200 || status === 201) this.#leases.add(held);
    if (status === 204 || status === 404 || status === 410) this.#leases.delete(held);
  }

  #send(message: Message, terms: SendTerms): Promise<TransportResult> {
    const { clock } = this.#options;
    this.#id += 1;
    const id = this.#id;
    const unhold = this.hold(terms);
    return new Promise<TransportResult>((resolve) => {
      const onStop = (): void => settle({ kind: 'no_response', reason: 'stopped' });
      const settle = (answer: TransportResult): void => {
        this.#asked.delete(id);
        cancel();
        terms.stop.removeEventListener('abort', onStop);
        unhold();
        resolve(answer);
      };
      const cancel = clock.after(
        terms.timeoutMs,
        () => {
          settle({ kind: 'no_response', reason: 'timeout' });
          this.#terminate('response timed out');
        },
        { background: true },
      );
      this.#asked.set(id, { sentAtMs: clock.nowMs(), settle });
      if (terms.stop.aborted) return onStop();
      terms.stop.addEventListener('abort', onStop);
      this.#socket.send(JSON.stringify({ id, ...message }), (error) => {
        if (error) settle({ kind: 'no_response', reason: (error as NodeJS.ErrnoException).code ?? error.message });
      });
    });
  }

  #setProcessHold(socket: Socket): void {
    this.#holds.socket = socket;
    if (this.#holds.count === 0) socket.unref();
  }
}

async function rejectedOpenResult(response: IncomingMessage, sentAtMs: number): Promise<OpenResult> {
  const { statusCode: status = 0, headers } = response;
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > REJECTION_BYTES_MAX) break;
      chunks.push(chunk);
    }
  } catch {
    // The part of the body that arrived is used.
  }
  const body = parsed(Buffer.concat(chunks).toString('utf8'));
  const isAnswer = status >= 500 ? status !== NOT_IMPLEMENTED : FINAL_STATUSES.has(status);
  if (!isAnswer || typeof body.code !== 'string' || body.code === TOO_MANY_SESSIONS) return { kind: 'not_offered' };
  const retryAfter = Number(headers['retry-after']);
  return {
    kind: 'answered',
    answer: {
      kind: 'response',
      status,
      body,
      retryAfterMs: Number.isFinite(retryAfter) ? retryAfter * 1_000 : undefined,
      serverDateMs: undefined,
      sentAtMs,
    },
  };
}
