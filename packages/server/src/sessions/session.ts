import type { Logger } from 'pino';
import type { RawData, WebSocket } from 'ws';
import type { CallerVerdict } from '../auth/authentication';
import type { Caller } from '../auth/core/caller';
import type { LeaseCalls } from '../granting/lease-calls';
import { faultReply } from '../platform/http/errors';
import type { HttpReply } from '../platform/http/reply';
import type { QueuePoller } from '../queue/queue-poller';
import type { Closing } from './core/reclaim';
import {
  answerOf,
  type Id,
  type MessageReader,
  type ServerEvent,
  type SessionAnswer,
  type SessionMessage,
} from './messages';
import type { SessionPolicy } from './policy';
import { QUEUED_STATUS, QueuedCheckouts } from './queued-checkouts';
import { SessionLeases } from './session-leases';
import type { SessionMetrics } from './session-metrics';
import type { ReclaimRequest } from './store';
import { TokenBucket } from './token-bucket';

/**
 * Why a session ended.
 *
 * - `goodbye`: the client closed it with a close frame;
 * - `vanished`: the socket closed without a close frame, as when the client's process dies;
 * - `silent`: the client sent nothing between two pings;
 * - `sent_away`: this server stopped granting, or drains;
 * - the others: the client broke a rule.
 */
export type SessionEnd =
  | 'goodbye'
  | 'vanished'
  | 'silent'
  | 'sent_away'
  | 'flood'
  | 'unread'
  | 'unauthenticated'
  | 'malformed_frames';

/** What all sessions of a server share. */
export interface SessionContext {
  readonly policy: SessionPolicy;
  readonly reader: MessageReader;
  readonly calls: LeaseCalls;
  readonly metrics: SessionMetrics;
  readonly log: Logger;
  readonly queuePoller: QueuePoller;
  readonly nowMs: () => number;
  readonly authorize: (tokenSha256: string | undefined) => Promise<CallerVerdict>;
  /** Charges a message that touches this number of leases; returns a refusal above the caller's limit. */
  readonly charge: (caller: Caller, leases: number) => HttpReply | undefined;
  /** The session of these leases closed without a close frame. */
  readonly orphaned: (closing: Closing, leases: readonly ReclaimRequest[]) => void;
  /** The answer to a message that arrives after the session was sent away. */
  readonly refusalWhenSentAway: () => HttpReply;
}

/** Close codes of RFC 6455. */
const CLOSE = { abnormal: 1006, policyViolation: 1008, serviceRestart: 1012 } as const;

/** The connection of one client. It turns messages into lease calls, and remembers the client's leases. */
export class Session {
  readonly #context: SessionContext;
  readonly #socket: WebSocket;
  readonly #tokenSha256: string | undefined;
  readonly #rateLimit: TokenBucket;
  readonly #leases: SessionLeases;
  #queued: QueuedCheckouts | undefined;
  #unanswered = 0;
  #isAlive = true;
  #sentAway = false;
  #end: SessionEnd | undefined;

  constructor(socket: WebSocket, tokenSha256: string | undefined, context: SessionContext) {
    this.#context = context;
    this.#socket = socket;
    this.#tokenSha256 = tokenSha256;
    const { messagesPerSecondMax: perSecond, messagesBurstMax: burstMax } = context.policy;
    const { calls, orphaned } = context;
    this.#leases = new SessionLeases({ calls, orphaned, leasesMax: context.policy.leasesMax });
    this.#rateLimit = new TokenBucket({ perSecond, burstMax }, context.nowMs());
  }

  /** `onEnd` is called once, when the socket has closed. */
  listen(onEnd: (end: SessionEnd) => void): void {
    const socket = this.#socket;
    socket.on('message', (content, isBinary) => this.#receive(content, isBinary));
    socket.on('pong', () => {
      this.#isAlive = true;
    });
    // Only protocol errors count. Network errors show in the close event.
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code?.startsWith('WS_ERR')) this.#end ??= 'malformed_frames';
    });
    socket.on('close', (code) => {
      const end = this.#end ?? (code === CLOSE.abnormal ? 'vanished' : 'goodbye');
      if (end === 'vanished' || end === 'silent') {
        this.#leases.abandon({ how: end, atMs: this.#context.nowMs() });
      }
      this.#queued?.end();
      onEnd(end);
    });
  }

  send(event: ServerEvent): void {
    this.#send(event);
  }

  /** The server could not read the socket, so the silence does not count. */
  resetLiveness(): void {
    this.#isAlive = true;
  }

  /** Called at an interval. Closes a session whose client sent nothing since the last call. */
  checkLiveness(): void {
    // A paused socket is not read, so its silence does not count.
    if (this.#isAlive || this.#socket.isPaused) {
      this.#isAlive = false;
      this.#socket.ping();
    } else {
      this.#finish('silent');
      this.#socket.terminate();
    }
    // An error occurs at the next message again, which reports it.
    this.#checkCaller().catch(() => undefined);
  }

  /** Sends the event, answers the messages in flight, and closes. */
  sendAway(event: ServerEvent): void {
    if (this.#sentAway) return;
    this.#sentAway = true;
    this.#queued?.end();
    this.send(event);
    if (this.#unanswered === 0) this.closeSentAway();
  }

  closeSentAway(): void {
    this.#close(CLOSE.serviceRestart, 'sent_away');
  }

  terminate(): void {
    this.#socket.terminate();
  }

  #receive(content: RawData, isBinary: boolean): void {
    this.#isAlive = true;
    const { reader, nowMs } = this.#context;
    if (!this.#rateLimit.take(nowMs())) {
      this.#close(CLOSE.policyViolation, 'flood');
      return;
    }
    const reading = reader.read(isBinary ? '' : String(content));
    if (reading.kind === 'refused') this.#answer('none', reading.id, reading.reply);
    else this.#consider(reading.message);
  }

  #consider(message: SessionMessage): void {
    if (this.#sentAway) {
      this.#answer(message.op, message.id, this.#context.refusalWhenSentAway());
      return;
    }
    this.#unanswered += 1;
    if (this.#unanswered >= this.#context.policy.unansweredMax) this.#socket.pause();
    void this.#decide(message);
  }

  async #decide(message: SessionMessage): Promise<void> {
    const stopTimer = this.#context.metrics.messageSeconds.startTimer({ op: message.op });
    const reply = await this.#authorized((caller) => this.#execute(message, caller)).catch((error) =>
      faultReply(error, this.#context.log, message),
    );
    stopTimer({ status: String(reply.status) });
    this.#unanswered -= 1;
    this.#send(answerOf(message.id, reply));
    if (this.#socket.isPaused && this.#unanswered < this.#context.policy.unansweredMax) this.#socket.resume();
    if (this.#sentAway && this.#unanswered === 0) this.closeSentAway();
  }

  async #authorized(execute: (caller: Caller) => Promise<HttpReply>): Promise<HttpReply> {
    const verdict = await this.#checkCaller();
    return verdict.kind === 'allowed' ? execute(verdict.caller) : verdict.reply;
  }

  async #execute(message: SessionMessage, caller: Caller): Promise<HttpReply> {
    const limited = this.#context.charge(caller, this.#leases.countTouched(message));
    if (limited) return limited;
    if (message.op === 'heartbeat') return this.#leases.execute(message, caller);
    await this.#queued?.leave(message.leaseId);
    const reply = await this.#leases.execute(message, caller);
    if (message.op === 'checkout' && reply.status === QUEUED_STATUS) this.#ownQueue().join(message, reply);
    return reply;
  }

  /** Created on first use, because most sessions are never queued. */
  #ownQueue(): QueuedCheckouts {
    const { queuePoller, policy, log } = this.#context;
    this.#queued ??= new QueuedCheckouts({
      poller: queuePoller,
      placesMax: policy.leasesMax,
      ask: (checkout) =>
        this.#authorized((caller) => this.#leases.execute(checkout, caller)).catch((error) =>
          faultReply(error, log, checkout),
        ),
      send: (event) => this.#send(event),
    });
    return this.#queued;
  }

  /** A revoked token ends the session. When the token cannot be checked, the verdict carries the refusal. */
  async #checkCaller(): Promise<CallerVerdict> {
    const verdict = await this.#context.authorize(this.#tokenSha256);
    if (verdict.kind === 'unauthenticated' || verdict.kind === 'forbidden') {
      this.#close(CLOSE.policyViolation, 'unauthenticated');
    }
    return verdict;
  }

  #answer(op: SessionMessage['op'] | 'none', id: Id | null, reply: HttpReply): void {
    this.#context.metrics.messageSeconds.observe({ op, status: String(reply.status) }, 0);
    this.#send(answerOf(id, reply));
  }

  #send(message: SessionAnswer | ServerEvent): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    if (this.#socket.bufferedAmount > this.#context.policy.unsentBytesMax) {
      this.#finish('unread');
      this.#socket.terminate();
    } else {
      this.#socket.send(JSON.stringify(message));
    }
  }

  #close(code: number, end: SessionEnd): void {
    this.#finish(end);
    if (this.#socket.readyState === this.#socket.OPEN) this.#socket.close(code, end);
  }

  #finish(end: SessionEnd): void {
    this.#end ??= end;
  }
}
