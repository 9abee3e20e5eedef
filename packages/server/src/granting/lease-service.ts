import type { Caller } from '../auth/core/caller';
import { AcknowledgementGate } from '../epochs/acknowledgement-gate';
import type { EpochTransactions, Refusal } from '../epochs/epoch-transactions';
import type { ReplicationTracker } from '../epochs/replication-tracker';
import type { CommittedAt } from '../epochs/store';
import { DatabaseFailure } from '../platform/database-failure';
import type { Metrics } from '../platform/metrics';
import type { Timers } from '../platform/timers';
import type { PlaceClaim } from '../queue/core/queue';
import type { UncertaintyPolicy } from './core/adoption';
import type { Entitlement, EntitlementName, Requester } from './core/entitlement';
import type { GrantRequest, GrantVerdict } from './core/grant';
import type { Lease, LeaseClaim } from './core/lease';
import type { Entitlements, ProvenVerdict } from './entitlements';
import type { Checkout, Heartbeat, LeaseAnswer, Release, ReleaseAnswer } from './lease-answers';
import { type Decided, LeaseBatches } from './lease-batches';
import type { LeaseEndings } from './lease-endings';
import type { LeaseTokens } from './lease-tokens';
import type { GrantBatchResult, LeasedPool, LeaseStore, ReleaseRequest, ReleaseVerdict } from './store';

export interface LeaseServiceOptions {
  readonly policy: UncertaintyPolicy;
  readonly leases: LeaseStore;
  readonly transactions: EpochTransactions;
  readonly entitlements: Entitlements;
  readonly tokens: LeaseTokens;
  readonly replicationTracker: ReplicationTracker;
  /** Ends the leases that administrators take back. @default they end when they expire */
  readonly endings?: Pick<LeaseEndings, 'finish'> | undefined;
  readonly metrics: Metrics;
  /** Returns 0 to 1. Spreads the heartbeats of leases that were granted together. */
  readonly random: () => number;
  readonly onAdopted: (lease: Lease, claim: LeaseClaim) => void;
  /** @default the process's own */
  readonly timers?: Timers | undefined;
}

/** When and in which epoch a batch was decided, and what the follower had then. */
interface Decision extends CommittedAt, Pick<GrantBatchResult, 'nowMs' | 'ackedSeq' | 'escrow'> {
  readonly epoch: number;
}

/** The lease token of the request: a verified claim, or a token that is not verified yet. */
interface PresentedProof {
  readonly claim?: LeaseClaim | undefined;
  readonly token?: string | undefined;
  /** Of the request, for the token of the answer. */
  readonly nonce?: string | undefined;
}

const HEARTBEATS_PER_TTL = 3;
const HEARTBEAT_JITTER = 0.1;
/** The next place in the queue retries about once a second, a distant place a few times within its TTL. */
const RETRY_AFTER_SECONDS_FIRST = 0.9;
const RETRY_SECONDS_PER_PLACE = 0.1;
const RETRY_AFTER_SECONDS_MAX = 15;
const RETRY_JITTER = 0.1;

/**
 * Checks leases out, renews and releases them. Authority is checked three times: before the request (`precheck`), inside
 * the transaction, and immediately before the answer (`recheckBeforeAck`), because the process may have been stopped
 * in between (S5).
 */
export class LeaseService {
  readonly #options: LeaseServiceOptions;
  readonly #batches: LeaseBatches;
  readonly #gate: AcknowledgementGate;

  constructor(options: LeaseServiceOptions) {
    this.#options = options;
    this.#batches = new LeaseBatches(options);
    this.#gate = new AcknowledgementGate(options);
  }

  /** Takes seats. A repeated request returns the lease of the first one. */
  async checkout(request: Checkout, caller: Caller): Promise<LeaseAnswer> {
    const answer = this.#options.transactions.precheck() ?? (await this.#checkout(request, caller));
    if (answer.kind !== 'held' && answer.kind !== 'queued') this.#options.metrics.denials.inc({ code: answer.kind });
    return answer;
  }

  /** Renews a lease. A lease that this database does not know is adopted if its token proves it (S3). */
  async heartbeat(request: Heartbeat, caller: Caller): Promise<LeaseAnswer> {
    const answer = this.#options.transactions.precheck() ?? (await this.#heartbeat(request, caller));
    this.#options.metrics.heartbeats.inc({ outcome: answer.kind === 'held' ? 'renewed' : answer.kind });
    return answer;
  }

  /** Ends a lease. The operation is idempotent. */
  async release(request: Release, caller: Caller): Promise<ReleaseAnswer> {
    const answer = this.#options.transactions.precheck() ?? (await this.#release(request, caller));
    this.#options.metrics.releases.inc({ outcome: answer.kind });
    return answer;
  }

  async #checkout(checkout: Checkout, caller: Caller): Promise<LeaseAnswer> {
    const { leaseId, product, feature, seats, holder, identity, borrowSeconds, queue = false, token } = checkout;
    const { licenseId = caller.licenseId, nonce } = checkout;
    if (caller.licenseId !== undefined && licenseId !== caller.licenseId) {
      return { kind: 'wrong_license', licenseId: caller.licenseId };
    }
    const claim = await this.#claim(leaseId, token);
    const request = { intent: 'checkout', leaseId, seats, holder, identity, queue, ...requesterOf(caller) } as const;
    const placeClaim = queue && !claim ? await this.#placeClaim(leaseId, token) : undefined;
    const requestFor = (entitlement: Entitlement): GrantRequest => ({
      ...request,
      ...(borrowSeconds === undefined ? {} : { borrowSeconds }),
      ...(claim && proves(claim, request, entitlement) ? { claim } : {}),
      ...(placeClaim && proves(placeClaim, request, entitlement) ? { placeClaim } : {}),
    });
    return this.#grantTo({ product, feature, licenseId }, requestFor, { nonce });
  }

  async #heartbeat({ leaseId, token, nonce, handover }: Heartbeat, caller: Caller): Promise<LeaseAnswer> {
    const request = { leaseId, ...requesterOf(caller) };
    let answer = await this.#batches.renew(request);
    if (answer.kind === 'done' && answer.verdict.kind === 'in_doubt') {
      const claim = await this.#claim(leaseId, token);
      if (claim) answer = await this.#batches.renew({ ...request, tokenUntilMs: claim.expiresAtMs });
    }
    if (answer.kind !== 'done') return answer;
    const renewal = answer.verdict;
    switch (renewal.kind) {
      case 'renewed': {
        const lease = await this.#asPresented(renewal.lease, { token, handover });
        return this.#held(lease, renewal.pool, { ...answer, ...renewal, token, nonce });
      }
      case 'unknown':
        return this.#adopt({ leaseId, token, nonce }, caller);
      case 'in_doubt':
        return this.#options.transactions.recheckBeforeAck(answer.epoch) ?? { kind: 'lease_expired' };
      default:
        // The holder gives up the lease after this answer, so the answer needs as much authority as a renewal.
        return this.#options.transactions.recheckBeforeAck(answer.epoch) ?? renewal;
    }
  }

  async #adopt({ leaseId, token, nonce }: Heartbeat, caller: Caller): Promise<LeaseAnswer> {
    const claim = await this.#claim(leaseId, token);
    if (!claim) return { kind: 'lease_not_found' };
    const { seats, holder, identity } = claim;
    const request = { intent: 'adopt', leaseId, seats, holder, identity, claim, ...requesterOf(caller) } as const;
    const answer = await this.#grantTo(nameOf(claim, caller), () => request, { nonce });
    return answer.kind === 'entitlement_not_found' ? { kind: 'lease_not_found' } : answer;
  }

  async #release(release: Release, caller: Caller): Promise<ReleaseAnswer> {
    const { leaseId, token, end = { kind: 'released' } } = release;
    const request = { leaseId, controlRoom: caller.controlRoom, endedBy: caller.name, end };
    let answer = await this.#releaseHandover(request, release);
    const leftQueue = answer.kind === 'done' && answer.verdict.kind === 'left_line';
    if (leftQueue || (answer.kind === 'done' && answer.verdict.kind === 'unknown')) {
      // Most leases are known, and a verification costs more than a release, so the token is verified only here. A
      // checkout that is queued here may have been granted in a lost region.
      const proven = await this.#proven(leaseId, token, caller);
      if (proven && 'kind' in proven) return proven;
      if (proven) answer = await this.#batches.release({ ...request, proven });
    }
    if (answer.kind !== 'done') return answer;
    // A queue place that was lost with a region is left when nobody restores it.
    const gone =
      leftQueue || answer.verdict.kind !== 'unknown' || (await this.#placeClaim(leaseId, token)) !== undefined;
    if (!gone) return { kind: 'lease_not_found' };
    const coverage = { kind: end.kind === 'forced' ? 'restriction' : 'own_proof' } as const;
    const acknowledged = await this.#gate.acknowledge(answer, leaseId, coverage);
    if (acknowledged.kind !== 'acknowledged') return acknowledged;
    if (end.kind === 'forced') await this.#options.endings?.finish(answer, [leaseId]);
    return { kind: 'ended', acknowledged };
  }

  /**
   * A release with a reason ends every lease. Any other release is of the handover that it proves, and of the first one
   * without a proof: a client gives up a checkout that was never answered, while another process of the installation may
   * have received its lease. A token is verified only when the lease was handed over: before that, every token of the
   * lease is of its only holder.
   */
  async #releaseHandover(
    request: ReleaseRequest,
    { leaseId, token, handover = 0 }: Release,
  ): Promise<Decided<ReleaseVerdict> | Refusal> {
    if (request.end.kind !== 'released') return this.#batches.release(request);
    const answer = await this.#batches.release({ ...request, handover });
    if (answer.kind !== 'done' || answer.verdict.kind !== 'handed_over') return answer;
    const claim = await this.#claim(leaseId, token);
    const isNewer = (claim?.handover ?? 0) > handover;
    return isNewer ? this.#batches.release({ ...request, handover: claim?.handover }) : answer;
  }

  /** The lease with the caller's handover, so that a renewal does not make an earlier holder the newest. */
  async #asPresented(lease: Lease, { token, handover = 0 }: Omit<Heartbeat, 'leaseId'>): Promise<Lease> {
    if (!lease.handover) return lease;
    const claim = await this.#claim(lease.id, token);
    return { ...lease, handover: claim ? (claim.handover ?? 0) : handover };
  }

  /** The pool and claim that a token proves for an unknown lease; undefined when it proves nothing. */
  async #proven(
    leaseId: string,
    token: string | undefined,
    caller: Caller,
  ): Promise<{ poolId: number; claim: LeaseClaim } | undefined | Refusal> {
    const claim = await this.#claim(leaseId, token);
    const poolId = claim && (await this.#poolOf(claim, caller));
    if (typeof poolId === 'object') return poolId;
    return claim && poolId !== undefined ? { poolId, claim } : undefined;
  }

  /** Retries once when the entitlement changed after it was looked up. */
  async #grantTo(
    name: EntitlementName,
    requestFor: (entitlement: Entitlement) => GrantRequest,
    { nonce, again = true }: { readonly nonce: string | undefined; readonly again?: boolean },
  ): Promise<LeaseAnswer> {
    const entitled = await this.#entitlement(name);
    if (entitled.kind !== 'found') return entitled;
    const { entitlement } = entitled;
    const request = requestFor(entitlement);
    const answer = await this.#batches.grant(entitlement, request);
    switch (answer.kind) {
      case 'done':
        return this.#granted({ ...answer, nonce }, request, entitlement);
      case 'entitlement_changed':
      case 'entitlement_not_found':
        this.#options.entitlements.forget(entitlement);
        if (again) return this.#grantTo(name, requestFor, { nonce, again: false });
        return answer.kind === 'entitlement_changed' ? { kind: 'overloaded' } : answer;
      default:
        return answer;
    }
  }

  async #granted(
    { verdict, ...decided }: Decision & { readonly verdict: GrantVerdict; readonly nonce: string | undefined },
    request: GrantRequest,
    entitlement: Entitlement,
  ): Promise<LeaseAnswer> {
    if (verdict.kind === 'queued') return this.#queued(verdict, entitlement, decided);
    if (verdict.kind !== 'granted') return verdict;
    const { metrics } = this.#options;
    metrics.grants.inc({ how: verdict.how });
    if (verdict.how === 'new' && verdict.lease.overdraft) {
      const { licenseId: license, product, feature } = entitlement;
      metrics.overdraftGrants.inc({ license, product, feature });
    }
    if (verdict.how === 'adopted' && request.claim) {
      metrics.adoptions.inc();
      this.#options.onAdopted(verdict.lease, request.claim);
    }
    // A lease that was granted before may carry an earlier epoch. The answer is valid for the present one.
    const lease = { ...verdict.lease, epoch: decided.epoch };
    return this.#held(lease, entitlement, { ...decided, claim: request.claim });
  }

  async #queued(
    { place, position, how }: Extract<GrantVerdict, { kind: 'queued' }>,
    pool: LeasedPool,
    { nowMs, ...decided }: Decision,
  ): Promise<LeaseAnswer> {
    const { tokens, metrics, random } = this.#options;
    metrics.queued.inc({ how });
    const token = await tokens.signPlace(place, pool, { epoch: decided.epoch, atMs: nowMs });
    const spread = 1 + RETRY_JITTER * (2 * random() - 1);
    const afterSeconds = Math.min(
      RETRY_AFTER_SECONDS_MAX,
      RETRY_AFTER_SECONDS_FIRST + position * RETRY_SECONDS_PER_PLACE,
    );
    const retryAfterSeconds = Math.round(afterSeconds * spread * 1000) / 1000;
    const acknowledged = await this.#gate.acknowledge(decided, place, { kind: 'own_proof' });
    if (acknowledged.kind !== 'acknowledged') return acknowledged;
    return { kind: 'queued', acknowledged, place, position, pool, token, retryAfterSeconds, nowMs };
  }

  async #held(lease: Lease, pool: LeasedPool, decision: Decision & PresentedProof): Promise<LeaseAnswer> {
    const { tokens, random } = this.#options;
    const { nowMs, ackedSeq, escrow } = decision;
    // The token is signed first, so that nothing takes time between the last check and the answer (S5).
    const token = await tokens.sign(lease, pool, { atMs: nowMs, nonce: decision.nonce });
    const presentedSeq = async (): Promise<number | undefined> =>
      (decision.claim ?? (await this.#claim(lease.id, decision.token)))?.seq;
    const coverage = { kind: 'escrow', lease, ackedSeq, escrow, presentedSeq } as const;
    const acknowledged = await this.#gate.acknowledge(decision, lease, coverage);
    if (acknowledged.kind !== 'acknowledged') return acknowledged;
    const lifeMs = Math.min(pool.leaseTtlMs, lease.expiresAtMs - nowMs);
    const jitter = 1 + HEARTBEAT_JITTER * (2 * random() - 1);
    const heartbeatAfterSeconds = Math.max(0, Math.round((lifeMs / HEARTBEATS_PER_TTL) * jitter)) / 1000;
    return { kind: 'held', acknowledged, lease, pool, token, heartbeatAfterSeconds, nowMs };
  }

  /** The claim of a token that one of our keys signed for this lease. */
  async #claim(leaseId: string, token: string | undefined): Promise<LeaseClaim | undefined> {
    if (token === undefined) return undefined;
    const claim = await this.#options.tokens.verify(token);
    return claim?.leaseId === leaseId ? claim : undefined;
  }

  async #placeClaim(leaseId: string, token: string | undefined): Promise<PlaceClaim | undefined> {
    if (token === undefined) return undefined;
    const claim = await this.#options.tokens.verifyPlace(token);
    return claim?.leaseId === leaseId ? claim : undefined;
  }

  /** Undefined when no pool, or more than one, matches. */
  async #poolOf(claim: LeaseClaim, caller: Caller): Promise<number | undefined | Refusal> {
    const entitled = await this.#entitlement(nameOf(claim, caller));
    switch (entitled.kind) {
      case 'found':
        return entitled.entitlement.poolId;
      case 'entitlement_not_found':
      case 'license_ambiguous':
      case 'license_integrity_failed':
        return undefined;
      default:
        return entitled;
    }
  }

  async #entitlement(name: EntitlementName): Promise<ProvenVerdict | Refusal> {
    try {
      return await this.#options.entitlements.find(name);
    } catch (error) {
      if (!(error instanceof DatabaseFailure)) throw error;
      return this.#options.transactions.refused(error);
    }
  }
}

function requesterOf({ name, controlRoom, controlRoomState = 'active' }: Caller): Requester & { grantedBy: string } {
  return { controlRoom, controlRoomState, grantedBy: name };
}

/** The entitlement of a token. A token without a license refers to the caller's license, or to the only one. */
function nameOf({ product, feature, licenseId }: LeaseClaim, caller: Caller): EntitlementName {
  return { product, feature, licenseId: licenseId ?? caller.licenseId };
}

/** Whether the token is for the same seats, holder and entitlement as the request. */
function proves(
  claim: LeaseClaim | PlaceClaim,
  { seats, holder, controlRoom }: Pick<GrantRequest, 'seats' | 'holder' | 'controlRoom'>,
  { licenseId, product, feature }: Entitlement,
): boolean {
  return (
    (claim.licenseId ?? licenseId) === licenseId &&
    claim.product === product &&
    claim.feature === feature &&
    claim.seats === seats &&
    claim.holder === holder &&
    (controlRoom === undefined || claim.controlRoom === controlRoom)
  );
}
