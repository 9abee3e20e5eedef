import type { UncertaintyPolicy } from '../core/adoption';
import type { GrantRequest, GrantVerdict } from '../core/grant';
import type { Lease, LeaseClaim } from '../core/lease';
import {
  DatabaseFailure,
  type Entitlement,
  type LeaseTokens,
  type LicenseDatabase,
  type ReleaseRequest,
  type ReleaseVerdict,
  type Renewal,
} from '../ports';
import { Batcher } from './batcher';
import type { Entitlements } from './entitlements';
import type { EpochWork, Refusal } from './epoch-work';
import type { Metrics } from './metrics';

export interface LeaseDeskOptions {
  readonly policy: UncertaintyPolicy;
  readonly database: LicenseDatabase;
  readonly work: EpochWork;
  readonly entitlements: Entitlements;
  readonly tokens: LeaseTokens;
  readonly metrics: Metrics;
  /** From 0 to 1; spreads the heartbeats of leases that were granted together. */
  readonly random: () => number;
  readonly onAdopted: (lease: Lease, claim: LeaseClaim) => void;
}

export interface Checkout {
  readonly leaseId: string;
  readonly product: string;
  readonly feature: string;
  readonly seats: number;
  readonly holder: string;
  /** The lease's token, when it was granted before. */
  readonly token?: string | undefined;
}

export interface HeldLease {
  readonly kind: 'held';
  readonly lease: Lease;
  readonly token: string;
  readonly heartbeatAfterSeconds: number;
  /** The database's clock when this was decided. */
  readonly nowMs: number;
}

export type LeaseAnswer =
  | HeldLease
  | Exclude<GrantVerdict, { kind: 'granted' }>
  | { readonly kind: 'entitlement_not_found' }
  | Refusal;

export type ReleaseAnswer = { readonly kind: 'ended' } | { readonly kind: 'lease_not_found' } | Refusal;

interface Decided<T> {
  readonly kind: 'done';
  readonly epoch: number;
  readonly verdict: T;
}
type GrantAnswer =
  | (Decided<GrantVerdict> & { readonly nowMs: number })
  | { readonly kind: 'entitlement_not_found' }
  | Refusal;

const BATCHING = { sizeMax: 200, waitingMax: 5_000, overloaded: { kind: 'overloaded' } as const };
const HEARTBEATS_PER_TTL = 3;
const HEARTBEAT_JITTER = 0.1;

/**
 * Where leases are checked out, renewed and released. Nothing is acknowledged whose epoch is not proven at the moment
 * of the answer, though it was when the transaction began: the process may have been stopped in between (S5).
 */
export class LeaseDesk {
  readonly #options: LeaseDeskOptions;
  readonly #grantsByPool = new Map<number, Batcher<GrantRequest, GrantAnswer>>();
  readonly #renewals: Batcher<string, Decided<Renewal> | Refusal>;
  readonly #releases: Batcher<ReleaseRequest, Decided<ReleaseVerdict> | Refusal>;

  constructor(options: LeaseDeskOptions) {
    this.#options = options;
    const { database, work } = options;
    this.#renewals = new Batcher<string, Decided<Renewal> | Refusal>({
      ...BATCHING,
      run: async (leaseIds) => {
        const outcome = await work.run('heartbeat', leaseIds.length, (expected) => database.renew(leaseIds, expected));
        if (outcome.kind !== 'done') return { kind: 'all', answer: outcome };
        return {
          kind: 'each',
          answers: outcome.result.map((verdict) => ({ kind: 'done', epoch: outcome.epoch, verdict })),
        };
      },
    });
    this.#releases = new Batcher<ReleaseRequest, Decided<ReleaseVerdict> | Refusal>({
      ...BATCHING,
      run: async (requests) => {
        const outcome = await work.run('release', requests.length, (expected) => database.release(requests, expected));
        if (outcome.kind !== 'done') return { kind: 'all', answer: outcome };
        return {
          kind: 'each',
          answers: outcome.result.map((verdict) => ({ kind: 'done', epoch: outcome.epoch, verdict })),
        };
      },
    });
  }

  /** Takes seats, or finds that this very request took them before. */
  async checkout(request: Checkout): Promise<LeaseAnswer> {
    const answer = this.#options.work.refusal() ?? (await this.#checkout(request));
    if (answer.kind !== 'held') this.#options.metrics.denials.inc({ code: answer.kind });
    return answer;
  }

  /** Renews; a lease that this database does not know is adopted if its token proves it (S3). */
  async heartbeat({ leaseId, token }: { leaseId: string; token?: string | undefined }): Promise<LeaseAnswer> {
    const answer = this.#options.work.refusal() ?? (await this.#heartbeat(leaseId, token));
    this.#options.metrics.heartbeats.inc({ outcome: answer.kind === 'held' ? 'renewed' : answer.kind });
    return answer;
  }

  /** Gives seats back; doing it twice is doing it once. */
  async release({ leaseId, token }: { leaseId: string; token?: string | undefined }): Promise<ReleaseAnswer> {
    const answer = this.#options.work.refusal() ?? (await this.#release(leaseId, token));
    this.#options.metrics.releases.inc({ outcome: answer.kind });
    return answer;
  }

  async #checkout({ leaseId, product, feature, seats, holder, token }: Checkout): Promise<LeaseAnswer> {
    const entitlement = await this.#entitlement({ product, feature });
    if (entitlement.kind !== 'found') return entitlement;
    const claim = await this.#claim(leaseId, token);
    // A token for something else proves nothing about this request.
    const same =
      claim?.product === product && claim.feature === feature && claim.seats === seats && claim.holder === holder;
    const request = { intent: 'checkout', leaseId, seats, holder } as const;
    return this.#grant(entitlement.entitlement, same && claim ? { ...request, claim } : request);
  }

  async #heartbeat(leaseId: string, token: string | undefined): Promise<LeaseAnswer> {
    const answer = await this.#renewals.add(leaseId);
    if (answer.kind !== 'done') return answer;
    const renewal = answer.verdict;
    switch (renewal.kind) {
      case 'renewed':
        return this.#held(renewal.lease, renewal.entitlement, renewal.nowMs);
      case 'unknown':
        return this.#adopt(leaseId, token);
      default:
        // Its holder gives the lease up on this word: it takes as much authority as a renewal.
        return this.#options.work.refusalToAcknowledge(answer.epoch) ?? renewal;
    }
  }

  async #adopt(leaseId: string, token: string | undefined): Promise<LeaseAnswer> {
    const claim = await this.#claim(leaseId, token);
    if (!claim) return { kind: 'lease_not_found' };
    const entitlement = await this.#entitlement(claim);
    if (entitlement.kind === 'entitlement_not_found') return { kind: 'lease_not_found' };
    if (entitlement.kind !== 'found') return entitlement;
    const { seats, holder } = claim;
    return this.#grant(entitlement.entitlement, { intent: 'adopt', leaseId, seats, holder, claim });
  }

  async #release(leaseId: string, token: string | undefined): Promise<ReleaseAnswer> {
    const claim = await this.#claim(leaseId, token);
    const answer = await this.#releases.add(claim ? { leaseId, claim } : { leaseId });
    if (answer.kind !== 'done') return answer;
    if (answer.verdict.kind === 'unknown') return { kind: 'lease_not_found' };
    return this.#options.work.refusalToAcknowledge(answer.epoch) ?? { kind: 'ended' };
  }

  async #grant(entitlement: Entitlement, request: GrantRequest): Promise<LeaseAnswer> {
    const answer = await this.#batcherOf(entitlement.poolId).add(request);
    if (answer.kind !== 'done') return answer;
    const { verdict, nowMs } = answer;
    if (verdict.kind !== 'granted') return verdict;
    this.#options.metrics.grants.inc({ how: verdict.how });
    if (verdict.how === 'adopted' && request.claim) {
      this.#options.metrics.adoptions.inc();
      this.#options.onAdopted(verdict.lease, request.claim);
    }
    // The lease may carry an earlier epoch when it was granted before; the answer speaks for the present one.
    return this.#held({ ...verdict.lease, epoch: answer.epoch }, entitlement, nowMs);
  }

  async #held(lease: Lease, entitlement: Entitlement, nowMs: number): Promise<LeaseAnswer> {
    const { tokens, work, random } = this.#options;
    const token = await tokens.sign(lease, entitlement, nowMs);
    const lifeMs = Math.min(entitlement.leaseTtlMs, lease.expiresAtMs - nowMs);
    const jitter = 1 + HEARTBEAT_JITTER * (2 * random() - 1);
    const heartbeatAfterSeconds = Math.max(0, Math.round((lifeMs / HEARTBEATS_PER_TTL) * jitter)) / 1000;
    // The last thing before the answer.
    return work.refusalToAcknowledge(lease.epoch) ?? { kind: 'held', lease, token, heartbeatAfterSeconds, nowMs };
  }

  /** The claim of a token, if one of our keys signed it for this very lease. */
  async #claim(leaseId: string, token: string | undefined): Promise<LeaseClaim | undefined> {
    if (token === undefined) return undefined;
    const claim = await this.#options.tokens.verify(token);
    return claim?.leaseId === leaseId ? claim : undefined;
  }

  async #entitlement(name: {
    product: string;
    feature: string;
  }): Promise<{ kind: 'found'; entitlement: Entitlement } | { kind: 'entitlement_not_found' } | Refusal> {
    try {
      const entitlement = await this.#options.entitlements.find(name);
      return entitlement ? { kind: 'found', entitlement } : { kind: 'entitlement_not_found' };
    } catch (error) {
      if (!(error instanceof DatabaseFailure)) throw error;
      return this.#options.work.refused(error);
    }
  }

  #batcherOf(poolId: number): Batcher<GrantRequest, GrantAnswer> {
    const existing = this.#grantsByPool.get(poolId);
    if (existing) return existing;
    const { database, work, policy, entitlements } = this.#options;
    const batcher = new Batcher<GrantRequest, GrantAnswer>({
      ...BATCHING,
      run: async (requests) => {
        const outcome = await work.run('checkout', requests.length, (expected) =>
          database.grant({ poolId, requests, expected, policy }),
        );
        if (outcome.kind !== 'done') return { kind: 'all', answer: outcome };
        const { epoch, result } = outcome;
        if (result === 'entitlement_not_found') {
          entitlements.forget();
          return { kind: 'all', answer: { kind: 'entitlement_not_found' } };
        }
        const { verdicts, nowMs } = result;
        return { kind: 'each', answers: verdicts.map((verdict) => ({ kind: 'done', epoch, verdict, nowMs })) };
      },
    });
    this.#grantsByPool.set(poolId, batcher);
    return batcher;
  }
}
