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
  #renewing: Promise<HttpReply> | undefined;
  #closing: Closing | undefined;

  constructor(options: SessionLeasesOptions) {
    this.#options = options;
  }

  /** The number of leases that a message touches. A second renewal of all leases waits for the one in flight. */
  countTouched(message: SessionMessage): number {
    const renewsAll = message.op === 'heartbeat' && message.leaseId === undefined && this.#renewing === undefined;
    return renewsAll ? Math.max(1, this.#held.size) : 1;
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
        const { leaseId, token } = message;
        if (leaseId === undefined) {
          this.#renewing ??= this.#renewAll(caller).finally(() => {
            this.#renewing = undefined;
          });
          return this.#renewing;
        }
        const renewal = { leaseId, ...(token ? { token } : {}) };
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

  async #renewAll(caller: Caller): Promise<HttpReply> {
    const { calls } = this.#options;
    const leases = await Promise.all(
      [...this.#held.keys()].map(async (leaseId) => {
        const reply = await this.#holding(leaseId, caller, (handover) =>
          calls.heartbeat({ leaseId }, caller, handover),
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
