import type { TSchema } from '@sinclair/typebox';
import type { FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import type { WebSocket } from 'ws';
import type { ApiTokenVerifier } from '../api-tokens/api-token-verifier';
import { bearerSha256, callerVerdict } from '../auth/authentication';
import type { Caller } from '../auth/core/caller';
import type { HeartbeatRecorder } from '../control-rooms/heartbeat-recorder';
import { type RoleMonitor, reasonOf } from '../epochs/role-monitor';
import type { LeaseCalls } from '../granting/lease-calls';
import type { MonotonicClock } from '../platform/clock';
import { refusalReply, whereToGo } from '../platform/http/problem-mapping';
import { problemReply } from '../platform/http/problems';
import type { RateLimits } from '../platform/http/rate-limits';
import type { HttpReply } from '../platform/http/reply';
import { budgetKeyOf } from '../platform/http/request-budgets';
import type { Metrics } from '../platform/metrics';
import { QueuePoller } from '../queue/queue-poller';
import { disconnectVerdict } from './core/disconnect-policy';
import { MessageReader, type ServerEvent } from './messages';
import type { SessionPolicy } from './policy';
import type { SeatReclaimer } from './seat-reclaimer';
import { Session, type SessionContext } from './session';
import { SessionMetrics } from './session-metrics';

export interface SessionsOptions {
  readonly region: string;
  readonly server: string;
  readonly regionAddresses: Readonly<Record<string, string>>;
  readonly role: RoleMonitor;
  readonly tokenVerifier: ApiTokenVerifier;
  readonly heartbeats: HeartbeatRecorder;
  readonly calls: LeaseCalls;
  readonly limits: Pick<RateLimits, 'ofMessage'>;
  readonly seatReclaimer: SeatReclaimer;
  readonly metrics: Metrics;
  readonly log: Logger;
  readonly clock: MonotonicClock;
  readonly random: () => number;
  readonly policy: SessionPolicy;
}

const TICK_MS = 100;
const TICKS_MISSED_MAX = 10;
const RETRY_AFTER_SECONDS = 1;

/** The sessions of a server: admits them, checks their liveness, and disconnects them when it does not grant. */
export class Sessions {
  readonly #options: SessionsOptions;
  readonly #open = new Set<Session>();
  /** Open sessions by caller. */
  readonly #countByCaller = new Map<string, number>();
  /** Sessions by the time of their next ping, so that the pings are spread. */
  readonly #wheel: readonly Set<Session>[];
  readonly #metrics: SessionMetrics;
  readonly #queuePoller: QueuePoller;
  #context: SessionContext | undefined;
  #turn = 0;
  #timer: NodeJS.Timeout | undefined;
  #tickedAtMs = 0;
  #lastReason = '';
  #lastReasonAtMs = 0;

  constructor(options: SessionsOptions) {
    this.#options = options;
    this.#metrics = new SessionMetrics(options.metrics.registry, () => this.#open.size);
    this.#queuePoller = new QueuePoller(() => options.clock.nowMs());
    const turns = Math.max(1, Math.round(options.policy.pingEveryMs / TICK_MS));
    this.#wheel = Array.from({ length: turns }, () => new Set());
  }

  get size(): number {
    return this.#open.size;
  }

  start(): void {
    this.#timer ??= setInterval(() => this.#tick(), TICK_MS).unref();
  }

  /** The reply when no session may be opened now. */
  refusal(caller: Caller): HttpReply | undefined {
    const { role, policy } = this.#options;
    const verdict = role.verdict();
    if (verdict.kind !== 'granting') return this.#notGranting();
    const retryAfterSeconds = RETRY_AFTER_SECONDS;
    if (this.#open.size >= policy.sessionsMax) return problemReply('too_many_sessions', { retryAfterSeconds });
    const { sessionsPerCallerMax } = policy;
    if ((this.#countByCaller.get(budgetKeyOf(caller)) ?? 0) < sessionsPerCallerMax) return undefined;
    const detail = `this server accepts ${sessionsPerCallerMax} sessions of one Control Room or token`;
    return problemReply('too_many_sessions', { detail, retryAfterSeconds });
  }

  /** Opens a session on an accepted socket. Of the request only the token's hash is kept. */
  admit(socket: WebSocket, request: FastifyRequest): void {
    const context = this.#contextFor(request);
    const session = new Session(socket, bearerSha256(request.headers.authorization), context);
    const slot = this.#wheel[this.#open.size % this.#wheel.length] as Set<Session>;
    const key = budgetKeyOf(request.caller);
    this.#open.add(session);
    this.#count(key, 1);
    slot.add(session);
    session.listen((end) => {
      this.#open.delete(session);
      this.#count(key, -1);
      slot.delete(session);
      this.#metrics.ends.inc({ because: end });
    });
    session.send(this.#hello());
  }

  #count(key: string, change: 1 | -1): void {
    const count = (this.#countByCaller.get(key) ?? 0) + change;
    if (count > 0) this.#countByCaller.set(key, count);
    else this.#countByCaller.delete(key);
  }

  /** Disconnects every session. Resolves when all are closed, in bounded time. */
  async drain(): Promise<void> {
    clearInterval(this.#timer);
    const { closeGraceMs } = this.#options.policy;
    const verdict = this.#options.role.verdict();
    this.#sendAllAway('draining', verdict.kind === 'granting' ? 'draining' : reasonOf(verdict));
    const deadlineMs = performance.now() + 3 * closeGraceMs;
    while (this.#open.size > 0 && performance.now() < deadlineMs) {
      await new Promise((resume) => setTimeout(resume, 10));
    }
    for (const session of this.#open) session.terminate();
  }

  /** Created once. The schemas are compiled by the framework that also compiles the HTTP schemas. */
  #contextFor(request: FastifyRequest): SessionContext {
    const { policy, calls, limits, log, clock, seatReclaimer } = this.#options;
    this.#context ??= {
      policy,
      calls,
      log,
      metrics: this.#metrics,
      nowMs: () => clock.nowMs(),
      queuePoller: this.#queuePoller,
      reader: new MessageReader((schema: TSchema) => request.compileValidationSchema(schema)),
      authorize: (sha256) => callerVerdict(this.#options, sha256, ['lease']),
      charge: (caller, leases) => limits.ofMessage(caller, leases),
      orphaned: (closing, leases) => seatReclaimer.closed(closing, leases),
      refusalWhenSentAway: () => this.#notGranting(),
    };
    return this.#context;
  }

  #notGranting(): HttpReply {
    const verdict = this.#options.role.verdict();
    const reason = verdict.kind === 'granting' ? 'draining' : reasonOf(verdict);
    return refusalReply({ kind: 'not_granting', reason }, this.#options);
  }

  #hello(): ServerEvent {
    const { server, region, role, policy } = this.#options;
    return {
      event: 'hello',
      server,
      region,
      epoch: role.newestEpoch?.epoch ?? null,
      pingEverySeconds: policy.pingEveryMs / 1_000,
      leasesMax: policy.leasesMax,
      unansweredMax: policy.unansweredMax,
    };
  }

  #tick(): void {
    const nowMs = this.#options.clock.nowMs();
    // A process that was stopped has not read its sockets, so the silence of its clients does not count.
    if (nowMs - this.#tickedAtMs > TICKS_MISSED_MAX * TICK_MS)
      for (const session of this.#open) session.resetLiveness();
    this.#tickedAtMs = nowMs;
    this.#turn = (this.#turn + 1) % this.#wheel.length;
    for (const session of this.#wheel[this.#turn] ?? []) session.checkLiveness();
    this.#disconnectIfNeeded();
    this.#queuePoller.tick();
    void this.#options.seatReclaimer.consider(this.#open.size);
  }

  #disconnectIfNeeded(): void {
    const { role, clock, policy } = this.#options;
    const asked = role.verdict();
    const verdict =
      asked.kind === 'must_open_epoch' ? ({ kind: 'not_granting', reason: reasonOf(asked) } as const) : asked;
    const said = verdict.kind === 'granting' ? 'granting' : verdict.reason;
    const nowMs = clock.nowMs();
    if (said !== this.#lastReason) {
      this.#lastReason = said;
      this.#lastReasonAtMs = nowMs;
    }
    const verdictOnSessions = disconnectVerdict(
      { verdict, sinceMs: nowMs - this.#lastReasonAtMs },
      policy.blindToleranceMs,
    );
    if (verdictOnSessions.kind === 'leave' && this.#open.size > 0)
      this.#sendAllAway(verdictOnSessions.event, verdictOnSessions.reason);
  }

  #sendAllAway(event: 'not_granting' | 'draining', reason: string): void {
    const { policy, random, log } = this.#options;
    const leaving = [...this.#open];
    const spreadSeconds = leaving.length / policy.returnsPerSecondMax;
    const where = whereToGo(this.#options);
    for (const session of leaving) {
      const retryAfter = Math.round(random() * spreadSeconds * 1_000) / 1_000;
      session.sendAway({ event, reason, ...where, retryAfter });
    }
    if (leaving.length > 0) log.info({ event, reason, sessions: leaving.length }, 'the sessions are disconnected');
    setTimeout(() => {
      for (const session of leaving) session.closeSentAway();
    }, policy.closeGraceMs).unref();
  }
}
