import type { Caller } from '../auth/core/caller';
import type { LeaseCalls } from '../granting/lease-calls';
import { problemReply } from '../platform/http/problems';
import type { HeldHere, Reply } from '../platform/http/reply';
import type { Closing } from './core/reclaim';
import { answerOf, type SessionMessage } from './messages';
import type { ReclaimRequest } from './store';

export interface SessionLeasesOptions {
  readonly calls: LeaseCalls;
  readonly leasesMax: number;
  /** These leases' session closed unasked. */
  readonly orphaned: (closing: Closing, leases: readonly ReclaimRequest[]) => void;
}

/** The leases of one session: those that were checked out or renewed by name in it last. */
export class SessionLeases {
  readonly #options: SessionLeasesOptions;
  /** By lease id; those that are not to be taken back when the session vanishes are undefined. */
  readonly #held = new Map<string, ReclaimRequest | undefined>();
  #closing: Closing | undefined;

  constructor(options: SessionLeasesOptions) {
    this.#options = options;
  }

  async carryOut(message: SessionMessage, caller: Caller): Promise<Reply> {
    const { calls } = this.#options;
    switch (message.op) {
      case 'checkout':
        return this.#holding(message.leaseId, caller, () => calls.checkout(message, caller));
      case 'release': {
        const reply = await calls.release(message, caller);
        if (reply.status === 204) this.#held.delete(message.leaseId.toLowerCase());
        return reply;
      }
      case 'heartbeat': {
        const { leaseId, token } = message;
        if (leaseId === undefined) return this.#renewAll(caller);
        return this.#holding(leaseId, caller, () => calls.heartbeat({ leaseId, ...(token ? { token } : {}) }, caller));
      }
    }
  }

  /** The session closed unasked. */
  abandon(closing: Closing): void {
    this.#closing = closing;
    const leases = [...this.#held.values()].flatMap((lease) => lease ?? []);
    this.#options.orphaned(closing, leases);
  }

  /** The lease belongs to the session from here, unless `call` does not end well. */
  async #holding(leaseId: string, caller: Caller, call: () => Promise<Reply>): Promise<Reply> {
    const { leasesMax } = this.#options;
    const id = leaseId.toLowerCase();
    const heldBefore = this.#held.has(id);
    if (!heldBefore && this.#held.size >= leasesMax) {
      return problemReply('session_full', { detail: `${leasesMax} leases; open another session for more` });
    }
    if (!heldBefore) this.#held.set(id, undefined);
    const reply = await call();
    const ended = reply.status === 404 || reply.status === 410;
    if (ended || (!heldBefore && reply.held?.leaseId !== id)) this.#held.delete(id);
    if (reply.held) this.#remember(reply.held, caller);
    return reply;
  }

  #remember({ leaseId, expiresAtMs, onDisconnect }: HeldHere, { name: endedBy }: Caller): void {
    const lease = onDisconnect === 'release' ? { leaseId, expiresAtMs, endedBy } : undefined;
    this.#held.set(leaseId, lease);
    // Its client vanished while it was being granted.
    if (lease && this.#closing) this.#options.orphaned(this.#closing, [lease]);
  }

  async #renewAll(caller: Caller): Promise<Reply> {
    const { calls } = this.#options;
    const leases = await Promise.all(
      [...this.#held.keys()].map(async (leaseId) => {
        const reply = await this.#holding(leaseId, caller, () => calls.heartbeat({ leaseId }, caller));
        return { leaseId, reply };
      }),
    );
    // Nobody could renew anything: that is one answer, not hundreds.
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

function heartbeatAfterOf({ body }: Reply): number | undefined {
  const { heartbeatAfter } = (body ?? {}) as { heartbeatAfter?: unknown };
  return typeof heartbeatAfter === 'number' ? heartbeatAfter : undefined;
}
