import type { Caller } from '../auth/core/caller';
import type { LeaseCalls } from '../granting/lease-calls';
import { problemReply } from '../platform/http/problems';
import type { HeldHere, HttpReply } from '../platform/http/reply';
import type { Closing } from './core/reclaim';
import { answerOf, type SessionMessage } from './messages';
import type { ReclaimRequest } from './store';

export interface SessionLeasesOptions {
  readonly calls: LeaseCalls;
  readonly leasesMax: number;
  /** The session of these leases closed without a close frame. */
  readonly orphaned: (closing: Closing, leases: readonly ReclaimRequest[]) => void;
}

/** The leases of one session: those that were last checked out or renewed by id in it. */
export class SessionLeases {
  readonly #options: SessionLeasesOptions;
  /** By lease id; undefined for leases that are kept when the session vanishes. */
  readonly #held = new Map<string, ReclaimRequest | undefined>();
  /** By lease id: the handover that this session was given. */
  readonly #handovers = new Map<string, number>();
  /** The renewal of all leases that is in flight. */
  #renewing: { readonly nonce: string | undefined; readonly reply: Promise<HttpReply> } | undefined;
  #closing: Closing | undefined;

  constructor(options: SessionLeasesOptions) {
    this.#options = options;
  }

  /** The number of leases that a message touches. A repeated renewal of all leases shares the one in flight. */
  countTouched(message: SessionMessage): number {
    if (message.op !== 'heartbeat' || message.leaseId !== undefined) return 1;
    const isShared = this.#renewing !== undefined && this.#renewing.nonce === message.nonce;
    return isShared ? 1 : Math.max(1, this.#held.size);
  }

  async execute(message: SessionMessage, caller: Caller): Promise<HttpReply> {
    const { calls } = this.#options;
    switch (message.op) {
      case 'checkout':
        return this.#holding(message.leaseId, caller, () => calls.checkout(message, caller));
      case 'release': {
        const id = message.leaseId.toLowerCase();
        const reply = await calls.release(message, caller, this.#handovers.get(id));
        if (reply.status === 204) this.#forget(id);
        return reply;
      }
      case 'heartbeat': {
        const { leaseId, token, nonce } = message;
        if (leaseId === undefined) return this.#renewTogether(caller, nonce);
        const renewal = { leaseId, ...(token ? { token } : {}), ...(nonce ? { nonce } : {}) };
        return this.#holding(leaseId, caller, (handover) => calls.heartbeat(renewal, caller, handover));
      }
    }
  }

  /** The session closed without a close frame. */
  abandon(closing: Closing): void {
    this.#closing = closing;
    const leases = [...this.#held.values()].flatMap((lease) => lease ?? []);
    this.#options.orphaned(closing, leases);
  }

  /** Adds the lease to the session, and removes it when `call` fails. */
  async #holding(leaseId: string, caller: Caller, call: (handover?: number) => Promise<HttpReply>): Promise<HttpReply> {
    const { leasesMax } = this.#options;
    const id = leaseId.toLowerCase();
    const heldBefore = this.#held.has(id);
    if (!heldBefore && this.#held.size >= leasesMax) {
      return problemReply('session_full', { detail: `${leasesMax} leases; open another session for more` });
    }
    if (!heldBefore) this.#held.set(id, undefined);
    const reply = await call(this.#handovers.get(id));
    const ended = reply.status === 404 || reply.status === 410;
    if (ended || (!heldBefore && reply.held?.leaseId !== id)) this.#forget(id);
    if (reply.held) this.#remember(reply.held, caller);
    return reply;
  }

  #forget(leaseId: string): void {
    this.#held.delete(leaseId);
    this.#handovers.delete(leaseId);
  }

  #remember({ leaseId, expiresAtMs, onDisconnect, handover }: HeldHere, { name: endedBy }: Caller): void {
    const lease = onDisconnect === 'release' ? { leaseId, expiresAtMs, endedBy, handover } : undefined;
    this.#held.set(leaseId, lease);
    this.#handovers.set(leaseId, handover);
    // The client vanished while the lease was granted.
    if (lease && this.#closing) this.#options.orphaned(this.#closing, [lease]);
  }

  /** Renews all leases once at a time. */
  #renewTogether(caller: Caller, nonce: string | undefined): Promise<HttpReply> {
    const before = this.#renewing;
    if (before && before.nonce === nonce) return before.reply;
    const ended = before ? before.reply.then(undefined, () => undefined) : Promise.resolve();
    const renewing = { nonce, reply: ended.then(() => this.#renewAll(caller, nonce)) };
    this.#renewing = renewing;
    const clear = (): void => {
      if (this.#renewing === renewing) this.#renewing = undefined;
    };
    renewing.reply.then(clear, clear);
    return renewing.reply;
  }

  async #renewAll(caller: Caller, nonce: string | undefined): Promise<HttpReply> {
    const { calls } = this.#options;
    const leases = await Promise.all(
      [...this.#held.keys()].map(async (leaseId) => {
        const reply = await this.#holding(leaseId, caller, (handover) =>
          calls.heartbeat({ leaseId, ...(nonce ? { nonce } : {}) }, caller, handover),
        );
        return { leaseId, reply };
      }),
    );
    // When no lease could be renewed, one answer replaces hundreds.
    const [first] = leases;
    if (first && leases.every(({ reply }) => reply.status === 503)) return first.reply;
    const afterSeconds = leases.flatMap(({ reply }) => heartbeatAfterOf(reply) ?? []);
    return {
      status: 200,
      body: {
        ...(afterSeconds.length > 0 ? { heartbeatAfter: Math.min(...afterSeconds) } : {}),
        leases: leases.map(({ leaseId, reply }) => {
          const { id: _id, ...answer } = answerOf(null, reply);
          return { leaseId, ...answer };
        }),
      },
    };
  }
}

function heartbeatAfterOf({ body }: HttpReply): number | undefined {
  const { heartbeatAfter } = (body ?? {}) as { heartbeatAfter?: unknown };
  return typeof heartbeatAfter === 'number' ? heartbeatAfter : undefined;
}
