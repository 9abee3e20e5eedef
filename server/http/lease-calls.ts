import type { Static } from '@sinclair/typebox';
import type { Caller } from '../core/access';
import type { HeldLease, LeaseAnswer, LeaseDesk, ReleaseAnswer } from '../duties/lease-desk';
import { problemReply } from './problems';
import { refusalReply, type WhereToGo } from './refusals';
import type { Reply } from './reply';
import type { CheckoutBody, HeldLease as HeldLeaseSchema, LeaseParams, TokenBody } from './schemas';

type CheckoutCall = Static<typeof LeaseParams> & Static<typeof CheckoutBody>;
type LeaseCall = Static<typeof LeaseParams> & Static<typeof TokenBody>;

export interface LeaseCallOptions extends WhereToGo {
  readonly server: string;
  readonly desk: LeaseDesk;
}

/**
 * Checkout, heartbeat and release with the answers of the contract, whichever connection they came over. A call is
 * already valid and its caller known.
 */
export class LeaseCalls {
  readonly #options: LeaseCallOptions;

  constructor(options: LeaseCallOptions) {
    this.#options = options;
  }

  async checkout(call: CheckoutCall, _caller: Caller): Promise<Reply> {
    return leaseReply(201, await this.#options.desk.checkout(withPlainId(call)), this.#options);
  }

  async heartbeat(call: LeaseCall, _caller: Caller): Promise<Reply> {
    return leaseReply(200, await this.#options.desk.heartbeat(withPlainId(call)), this.#options);
  }

  async release(call: LeaseCall, _caller: Caller): Promise<Reply> {
    return endedReply(await this.#options.desk.release(withPlainId(call)), this.#options);
  }
}

/** The same UUID may be written in two ways; it is one lease. */
function withPlainId<T extends { leaseId: string }>(call: T): T {
  return { ...call, leaseId: call.leaseId.toLowerCase() };
}

function leaseReply(status: 200 | 201, answer: LeaseAnswer, options: LeaseCallOptions): Reply {
  switch (answer.kind) {
    case 'held':
      return { status, body: heldLease(answer, options.server) };
    case 'no_seat_available': {
      const { seats, seatsFree } = answer;
      return problemReply(answer.kind, {
        detail: `${seatsFree} of ${seats} seats are free`,
        members: { seats, seatsFree },
      });
    }
    case 'entitlement_not_found':
    case 'lease_conflict':
    case 'lease_expired':
    case 'lease_released':
    case 'lease_not_found':
      return problemReply(answer.kind);
    default:
      return refusalReply(answer, options);
  }
}

function endedReply(answer: ReleaseAnswer, options: LeaseCallOptions): Reply {
  switch (answer.kind) {
    case 'ended':
      return { status: 204 };
    case 'lease_not_found':
      return problemReply(answer.kind);
    default:
      return refusalReply(answer, options);
  }
}

function heldLease(
  { lease, token, heartbeatAfterSeconds, nowMs }: HeldLease,
  server: string,
): Static<typeof HeldLeaseSchema> {
  return {
    leaseId: lease.id,
    token,
    expiresAt: new Date(lease.expiresAtMs).toISOString(),
    serverTime: new Date(nowMs).toISOString(),
    heartbeatAfter: heartbeatAfterSeconds,
    epoch: lease.epoch,
    servedBy: server,
  };
}
