import type { ClientClock } from '../time/clock';
import type { CallResponse, ClientCall, ResponseRecord, SendTerms, Transport, TransportResult } from './call';
import type { HttpTransport } from './http-transport';
import { type OpenResult, type QueueUpdate, type Redirect, WebSocketSession } from './websocket-session';

export interface TransportSelectorOptions {
  readonly http: HttpTransport;
  /** False: HTTP for all requests. */
  readonly sessions: boolean;
  readonly token: () => string | undefined;
  readonly clock: ClientClock;
  readonly onResponse: (record: ResponseRecord) => void;
  readonly onQueueUpdate: (news: QueueUpdate) => void;
  /** The session in use ended without being closed by this client. */
  readonly onDisconnect: (end: { address: string; redirect: Redirect | undefined }) => void;
  /** A server responded over this transport. */
  readonly onConnection: (connection: { address: string; over: 'session' | 'http' }) => void;
}

const OVER_SESSIONS: ReadonlySet<ClientCall['kind']> = new Set(['checkout', 'heartbeat', 'release']);
/** After an address offered no session, only HTTP is used for it during this time. */
const NO_SESSION_FOR_MS = 300_000;
const OPEN_TIMEOUT_MS_MAX = 3_000;
const SESSION_IS_FULL = 'session_full';
/** The connection failed, so HTTP would fail as well. */
const UNREACHABLE_CODES: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EAI_AGAIN',
  'stopped',
]);

/**
 * Sends requests over a WebSocket session where the address offers one, otherwise over HTTP. One session is open at a
 * time, with the address of the last request.
 */
export class TransportSelector implements Transport {
  readonly #options: TransportSelectorOptions;
  readonly #notOfferedUntilMs = new Map<string, number>();
  #session: WebSocketSession | undefined;
  #opening: { readonly address: string; readonly opening: Promise<OpenResult> } | undefined;
  #closed = false;

  constructor(options: TransportSelectorOptions) {
    this.#options = options;
  }

  async send(call: ClientCall, address: string, terms: SendTerms): Promise<TransportResult> {
    const opening = await this.#openingFor(call, address, terms);
    switch (opening.kind) {
      case 'open': {
        const answer = await this.#recorded(call, address, () => opening.session.ask(call, terms));
        if (!isFull(answer)) return answer;
        break;
      }
      case 'answered':
        return this.#recorded(call, address, async () => opening.answer);
      case 'failed':
        if (UNREACHABLE_CODES.has(opening.reason)) {
          return this.#recorded(call, address, async () => ({ kind: 'no_response', reason: opening.reason }));
        }
        break;
      case 'not_offered':
        break;
    }
    const answer = await this.#options.http.send(call, address, terms);
    if (answer.kind === 'response' && OVER_SESSIONS.has(call.kind))
      this.#options.onConnection({ address, over: 'http' });
    return answer;
  }

  /** True when the open session holds the lease. */
  holds(leaseId: string): boolean {
    return this.#session?.isOpen === true && this.#session.holds(leaseId);
  }

  /** Renews all leases of the session with one message. Reports each of `calls` with its response to `onResponse`. */
  async renewAll(
    calls: readonly ClientCall[],
    terms: SendTerms & { readonly nonce: string },
  ): Promise<ReadonlyMap<string, TransportResult>> {
    const session = this.#session;
    if (!session?.isOpen) return new Map();
    const { clock } = this.#options;
    const [at, sentAtMs] = [clock.wallMs(), clock.nowMs()];
    const answered = await session.renewAll(terms);
    const answers = new Map<string, TransportResult>();
    for (const call of calls) {
      const leaseId = call.leaseId as string;
      const answer = 'kind' in answered ? answered : answered.get(leaseId);
      if (!answer) continue;
      answers.set(leaseId, answer);
      this.#record(call, session.address, { at, sentAtMs, answer });
    }
    return answers;
  }

  /** `graceful: false` drops the connection like a crashed process. */
  close({ graceful }: { readonly graceful: boolean }): void {
    this.#closed = true;
    this.#drop(graceful, 'the client was closed');
  }

  async #openingFor(call: ClientCall, address: string, terms: SendTerms): Promise<OpenResult> {
    const { sessions, clock } = this.#options;
    if (!sessions || this.#closed || !OVER_SESSIONS.has(call.kind)) return { kind: 'not_offered' };
    if (this.#session?.isOpen && this.#session.address === address) return { kind: 'open', session: this.#session };
    if ((this.#notOfferedUntilMs.get(address) ?? Number.NEGATIVE_INFINITY) > clock.nowMs())
      return { kind: 'not_offered' };
    if (this.#opening?.address !== address) this.#opening = { address, opening: this.#openSession(address, terms) };
    return this.#opening.opening;
  }

  async #openSession(address: string, terms: SendTerms): Promise<OpenResult> {
    const { token, clock, onQueueUpdate } = this.#options;
    const bearer = token();
    if (bearer === undefined) return { kind: 'not_offered' };
    const timeoutMs = Math.max(1, Math.min(OPEN_TIMEOUT_MS_MAX, Math.round(terms.timeoutMs / 2)));
    let opened: WebSocketSession | undefined;
    const opening = await WebSocketSession.open(
      {
        address,
        token: bearer,
        timeoutMs,
        clock,
        onQueueUpdate,
        onEnd: ({ redirect }) => {
          if (this.#session !== opened) return;
          this.#session = undefined;
          this.#options.onDisconnect({ address, redirect });
        },
      },
      terms,
    );
    this.#opening = undefined;
    if (opening.kind === 'open') {
      opened = opening.session;
      if (this.#closed) opened.close({ graceful: true, reason: 'the client was closed' });
      else if (opened.isOpen) this.#take(opened);
    }
    const fails = opening.kind === 'failed' && !UNREACHABLE_CODES.has(opening.reason);
    if (opening.kind === 'not_offered' || fails) {
      this.#notOfferedUntilMs.set(address, clock.nowMs() + NO_SESSION_FOR_MS);
    }
    return opening;
  }

  #take(session: WebSocketSession): void {
    this.#drop(true, 'another session was opened');
    this.#session = session;
    this.#options.onConnection({ address: session.address, over: 'session' });
  }

  /** Closes the session without calling `onDisconnect`. */
  #drop(graceful: boolean, reason: string): void {
    const session = this.#session;
    this.#session = undefined;
    session?.close({ graceful, reason });
  }

  async #recorded(call: ClientCall, address: string, ask: () => Promise<TransportResult>): Promise<TransportResult> {
    const { clock } = this.#options;
    const [at, sentAtMs] = [clock.wallMs(), clock.nowMs()];
    const answer = await ask();
    if (!isFull(answer)) this.#record(call, address, { at, sentAtMs, answer });
    return answer;
  }

  #record(call: ClientCall, address: string, asked: { at: number; sentAtMs: number; answer: TransportResult }): void {
    const { at, sentAtMs, answer } = asked;
    const { kind, method, leaseId, product, feature, seats } = call;
    const receivedAtMs = this.#options.clock.nowMs();
    const details =
      answer.kind === 'response' ? { status: answer.status, body: answer.body } : { error: answer.reason };
    this.#options.onResponse({
      kind,
      method,
      url: `${address}/v1/session`,
      leaseId,
      product,
      feature,
      seats,
      at,
      sentAtMs,
      receivedAtMs,
      durationMs: receivedAtMs - sentAtMs,
      ...details,
    });
  }
}

const isFull = (answer: TransportResult): boolean =>
  answer.kind === 'response' && (answer as CallResponse).body.code === SESSION_IS_FULL;
