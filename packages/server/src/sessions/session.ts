import type { Logger } from 'pino';
import type { RawData, WebSocket } from 'ws';
import type { CallerVerdict } from '../auth/authentication';
import type { Caller } from '../auth/core/caller';
import type { LeaseCalls } from '../granting/lease-calls';
import { faultReply } from '../platform/http/errors';
import type { Reply } from '../platform/http/reply';
import type { QueuePoller } from '../queue/queue-poller';
import type { Closing } from './core/reclaim';
import { type Answer, answerOf, type Id, type MessageReader, type ServerEvent, type SessionMessage } from './messages';
import type { SessionPolicy } from './policy';
import { IN_LINE, QueuedCheckouts } from './queued-checkouts';
import { SessionLeases } from './session-leases';
import type { SessionMetrics } from './session-metrics';
import type { ReclaimRequest } from './store';
import { TokenBucket } from './token-bucket';

/**
 * Why a session ended.
 *
 * - `goodbye`: its client closed it in good order;
 * - `vanished`: its socket closed without a word, as that of a process that dies does;
 * - `silent`: nothing came from it between two pings;
 * - `sent_away`: this server stopped granting, or drains;
 * - the others: it broke a rule.
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
  /** These leases' session closed unasked. */
  readonly orphaned: (closing: Closing, leases: readonly ReclaimRequest[]) => void;
  /** What is answered when a message comes after the session was sent away. */
  readonly refusalWhenSentAway: () => Reply;
}

/** Close codes of RFC 6455. */
const CLOSE = { abnormal: 1006, policyViolation: 1008, serviceRestart: 1012 } as const;

/** One client's connection: its messages become lease calls, and its leases are remembered. */
export class Session {
  readonly #context: SessionContext;
  readonly #socket: WebSocket;
  readonly #tokenSha256: string | undefined;
  readonly #allowance: TokenBucket;
  readonly #leases: SessionLeases;
  #queued: QueuedCheckouts | undefined;
  #unanswered = 0;
  #heard = true;
  #sentAway = false;
  #end: SessionEnd | undefined;

  constructor(socket: WebSocket, tokenSha256: string | undefined, context: SessionContext) {
    this.#context = context;
    this.#socket = socket;
    this.#tokenSha256 = tokenSha256;
    const { messagesPerSecondMax: perSecond, messagesBurstMax: burstMax } = context.policy;
    const { calls, orphaned } = context;
    this.#leases = new SessionLeases({ calls, orphaned, leasesMax: context.policy.leasesMax });
    this.#allowance = new TokenBucket({ perSecond, burstMax }, context.nowMs());
  }

  /** `onEnd` is called once, when the socket has closed. */
  listen(onEnd: (end: SessionEnd) => void): void {
    const socket = this.#socket;
    socket.on('message', (content, isBinary) => this.#receive(content, isBinary));
    socket.on('pong', () => {
      this.#heard = true;
    });
    // Frames that are none. What the network does to a socket shows in its closing alone.
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

  tell(event: ServerEvent): void {
    this.#send(event);
  }

  /** This server was not there to hear it. */
  excuse(): void {
    this.#heard = true;
  }

  /** Called at an interval: closes a session from which nothing came since the last call. */
  checkPulse(): void {
    // What is not read here cannot be heard.
    if (this.#heard || this.#socket.isPaused) {
      this.#heard = false;
      this.#socket.ping();
    } else {
      this.#finish('silent');
      this.#socket.terminate();
    }
    // What fails here fails at the next message too, and is told there.
    this.#checkCaller().catch(() => undefined);
  }

  /** Says where to go, answers what is being decided, and closes. */
  sendAway(event: ServerEvent): void {
    if (this.#sentAway) return;
    this.#sentAway = true;
    this.#queued?.end();
    this.tell(event);
    if (this.#unanswered === 0) this.closeSentAway();
  }

  closeSentAway(): void {
    this.#close(CLOSE.serviceRestart, 'sent_away');
  }

  terminate(): void {
    this.#socket.terminate();
  }

  #receive(content: RawData, isBinary: boolean): void {
    this.#heard = true;
    const { reader, nowMs } = this.#context;
    if (!this.#allowance.take(nowMs())) {
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
    const reply = await this.#authorized((caller) => this.#carryOut(message, caller)).catch((error) =>
      faultReply(error, this.#context.log, message),
    );
    stopTimer({ status: String(reply.status) });
    this.#unanswered -= 1;
    this.#send(answerOf(message.id, reply));
    if (this.#socket.isPaused && this.#unanswered < this.#context.policy.unansweredMax) this.#socket.resume();
    if (this.#sentAway && this.#unanswered === 0) this.closeSentAway();
  }

  async #authorized(carryOut: (caller: Caller) => Promise<Reply>): Promise<Reply> {
    const verdict = await this.#checkCaller();
    return verdict.kind === 'allowed' ? carryOut(verdict.caller) : verdict.reply;
  }

  async #carryOut(message: SessionMessage, caller: Caller): Promise<Reply> {
    if (message.op === 'heartbeat') return this.#leases.carryOut(message, caller);
    await this.#queued?.leave(message.leaseId);
    const reply = await this.#leases.carryOut(message, caller);
    if (message.op === 'checkout' && reply.status === IN_LINE) this.#lineOfOwn().join(message, reply);
    return reply;
  }

  /** Most sessions never stand in line. */
  #lineOfOwn(): QueuedCheckouts {
    const { queuePoller, policy, log } = this.#context;
    this.#queued ??= new QueuedCheckouts({
      watch: queuePoller,
      placesMax: policy.leasesMax,
      ask: (checkout) =>
        this.#authorized((caller) => this.#leases.carryOut(checkout, caller)).catch((error) =>
          faultReply(error, log, checkout),
        ),
      tell: (event) => this.#send(event),
    });
    return this.#queued;
  }

  /** A token that was revoked ends its sessions; one that cannot be checked now is answered so. */
  async #checkCaller(): Promise<CallerVerdict> {
    const verdict = await this.#context.authorize(this.#tokenSha256);
    if (verdict.kind === 'stranger' || verdict.kind === 'forbidden') {
      this.#close(CLOSE.policyViolation, 'unauthenticated');
    }
    return verdict;
  }

  #answer(op: SessionMessage['op'] | 'none', id: Id | null, reply: Reply): void {
    this.#context.metrics.messageSeconds.observe({ op, status: String(reply.status) }, 0);
    this.#send(answerOf(id, reply));
  }

  #send(message: Answer | ServerEvent): void {
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
