import type { Static } from '@sinclair/typebox';
import { allows, type Caller } from '../auth/core/caller';
import { acknowledgedReply, type MutationReply } from '../platform/http/mutating-route';
import { refusalReply, type WhereToGo } from '../platform/http/problem-mapping';
import { type ProblemExtras, problemReply } from '../platform/http/problems';
import type { HeldPlace as HeldPlaceSchema } from '../queue/schemas';
import type { LeaseEnd } from './core/lease';
import type { HeldLease, HeldPlace, LeaseAnswer, ReleaseAnswer } from './lease-answers';
import type { LeaseService } from './lease-service';
import type { CheckoutBody, HeldLease as HeldLeaseSchema, LeaseParams, ReleaseBody, TokenBody } from './schemas';

type CheckoutCall = Static<typeof LeaseParams> & Static<typeof CheckoutBody>;
type ReleaseCall = Static<typeof LeaseParams> & Static<typeof ReleaseBody>;
type LeaseCall = Static<typeof LeaseParams> & Static<typeof TokenBody>;

export interface LeaseCallOptions extends WhereToGo {
  readonly server: string;
  readonly leaseService: LeaseService;
}

/**
 * Checkout, heartbeat and release with their published answers, for HTTP and for sessions. The call is already
 * validated and its caller authenticated.
 */
export class LeaseCalls {
  readonly #options: LeaseCallOptions;

  constructor(options: LeaseCallOptions) {
    this.#options = options;
  }

  async checkout(call: CheckoutCall, caller: Caller): Promise<MutationReply> {
    return leaseReply(201, await this.#options.leaseService.checkout(withPlainId(call), caller), this.#options);
  }

  /** `handover` is that of the session over which the call came. */
  async heartbeat(call: LeaseCall, caller: Caller, handover?: number): Promise<MutationReply> {
    const { leaseId, token, nonce } = withPlainId(call);
    const answer = await this.#options.leaseService.heartbeat({ leaseId, token, nonce, handover }, caller);
    return leaseReply(200, answer, this.#options);
  }

  /** Releases a lease. An administrator may take the seats back from their holder, with a reason. */
  async release(call: ReleaseCall, caller: Caller, handover?: number): Promise<MutationReply> {
    const { leaseId, token, reason } = withPlainId(call);
    if (reason === undefined && !allows(caller.scopes, ['lease'])) return REASON_MISSING;
    if (reason !== undefined && !allows(caller.scopes, ['admin'])) return REASON_FORBIDDEN;
    const end: LeaseEnd = reason === undefined ? { kind: 'released' } : { kind: 'forced', reason };
    return endedReply(
      await this.#options.leaseService.release({ leaseId, token, handover, end }, caller),
      this.#options,
    );
  }
}

const REASON_MISSING = problemReply('invalid_request', {
  detail: 'reason is missing: it is required when an administrator takes seats back',
  members: { field: 'reason', errors: [{ field: 'reason', detail: 'is missing' }] },
});

const REASON_FORBIDDEN = problemReply('forbidden', {
  detail: 'a reason takes the seats back from their holder, which requires the scope admin; release without a reason',
});

/** The details are in the server's log only. */
const LICENSE_UNPROVEN_DETAIL =
  'the rows of this license differ from its signed file; an administrator must import the license file again';

/** Two spellings of one UUID name the same lease. */
function withPlainId<T extends { leaseId: string }>(call: T): T {
  const leaseId = call.leaseId.toLowerCase();
  return leaseId === call.leaseId ? call : { ...call, leaseId };
}

/** The answer to a lease call. */
export function leaseReply(
  status: 200 | 201,
  answer: LeaseAnswer,
  options: WhereToGo & { readonly server: string },
): MutationReply {
  switch (answer.kind) {
    case 'held': {
      const { id: leaseId, expiresAtMs, handover = 0 } = answer.lease;
      const { onDisconnect } = answer.pool;
      const held = { leaseId, expiresAtMs, onDisconnect, handover };
      return acknowledgedReply(answer.acknowledged, { status, body: heldLease(answer, options.server), held });
    }
    case 'queued':
      return acknowledgedReply(answer.acknowledged, {
        status: 202,
        body: heldPlace(answer),
        retryAfterSeconds: Math.max(1, Math.ceil(answer.retryAfterSeconds)),
      });
    case 'borrow_too_long': {
      const { borrowSecondsMax } = answer;
      const mostOf = borrowSecondsMax === 0 ? 'nothing may be borrowed' : `at most ${borrowSecondsMax} seconds`;
      const detail = `borrowSeconds: ${mostOf} of this feature`;
      return problemReply(answer.kind, { detail, members: { field: 'borrowSeconds', borrowSecondsMax } });
    }
    case 'queue_full':
      return problemReply(answer.kind, {
        detail: `${answer.places} requests are waiting`,
        members: { places: answer.places },
      });
    case 'no_seat_available': {
      const { seats, seatsFree } = answer;
      return problemReply(answer.kind, {
        detail: `${seatsFree} of ${seats} seats are free`,
        members: { seats, seatsFree },
      });
    }
    case 'license_ambiguous': {
      const { licenseIds } = answer;
      return problemReply(answer.kind, {
        detail: `name one of them as licenseId: ${licenseIds.join(', ')}`,
        members: { licenseIds },
      });
    }
    case 'license_integrity_failed':
      return problemReply(answer.code, { detail: LICENSE_UNPROVEN_DETAIL, members: { licenseId: answer.licenseId } });
    case 'wrong_license':
      return problemReply(answer.kind, { detail: `this token is limited to the license ${answer.licenseId}` });
    case 'license_not_valid':
      return problemReply(answer.kind, validityProblem(answer));
    case 'wrong_control_room':
    case 'control_room_suspended':
    case 'control_room_fail_safe':
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

function endedReply(answer: ReleaseAnswer, options: LeaseCallOptions): MutationReply {
  switch (answer.kind) {
    case 'ended':
      return acknowledgedReply(answer.acknowledged, { status: 204 });
    case 'lease_not_found':
      return problemReply(answer.kind);
    default:
      return refusalReply(answer, options);
  }
}

function heldPlace(answer: HeldPlace): Static<typeof HeldPlaceSchema> {
  const { place, position, pool, token, retryAfterSeconds, nowMs } = answer;
  return {
    leaseId: place.leaseId,
    licenseId: pool.licenseId,
    position,
    token,
    expiresAt: new Date(place.expiresAtMs).toISOString(),
    serverTime: new Date(nowMs).toISOString(),
    retryAfter: retryAfterSeconds,
  };
}

/** A license may have no start or no end. The answer then names no date. */
function validityProblem({ validFromMs, validUntilMs }: { validFromMs: number; validUntilMs: number }): ProblemExtras {
  const instant = (ms: number) => (Number.isFinite(ms) ? new Date(ms).toISOString() : null);
  const [validFrom, validUntil] = [instant(validFromMs), instant(validUntilMs)];
  const from = validFrom ? ` from ${validFrom}` : '';
  const until = validUntil ? ` until ${validUntil}` : '';
  return {
    detail: `the license is valid${from}${until}, by the clock of the database; import a current license file`,
    members: { validFrom, validUntil },
  };
}

function heldLease(
  { lease, pool, token, heartbeatAfterSeconds, nowMs }: HeldLease,
  server: string,
): Static<typeof HeldLeaseSchema> {
  return {
    leaseId: lease.id,
    licenseId: pool.licenseId,
    ...(lease.overdraft ? { overdraft: true as const } : {}),
    ...(lease.borrowed ? { borrowed: true as const } : {}),
    token,
    expiresAt: new Date(lease.expiresAtMs).toISOString(),
    serverTime: new Date(nowMs).toISOString(),
    heartbeatAfter: heartbeatAfterSeconds,
    epoch: lease.epoch,
    servedBy: server,
    policy: pool.policy,
  };
}
