import type { EpochTransactions, Refusal } from '../epochs/epoch-transactions';
import type { ReplicationTracker } from '../epochs/replication-tracker';
import type { CommittedAt, ExpectedEpoch, InEpoch } from '../epochs/store';
import { Batcher, type BatchOutcome } from '../platform/batcher';
import type { Timers } from '../platform/timers';
import type { UncertaintyPolicy } from './core/adoption';
import type { Entitlement } from './core/entitlement';
import type { GrantRequest, GrantVerdict } from './core/grant';
import type { RenewalRequest } from './core/renewal';
import type { GrantBatchResult, LeaseStore, ReleaseRequest, ReleaseVerdict, Renewal } from './store';

/** The verdict of a committed transaction, and its epoch. */
export interface Decided<T> extends CommittedAt {
  readonly kind: 'done';
  readonly epoch: number;
  readonly verdict: T;
}

export type GrantAnswer =
  | (Decided<GrantVerdict> & Pick<GrantBatchResult, 'nowMs' | 'ackedSeq' | 'escrow'>)
  | { readonly kind: 'entitlement_not_found' }
  | { readonly kind: 'entitlement_changed' }
  | Refusal;

interface BatchedGrant {
  readonly entitlement: Entitlement;
  readonly request: GrantRequest;
}

interface LeaseBatchesOptions {
  readonly policy: UncertaintyPolicy;
  readonly leases: LeaseStore;
  readonly transactions: EpochTransactions;
  readonly replicationTracker: ReplicationTracker;
  /** @default the process's own */
  readonly timers?: Timers | undefined;
}

const BATCHING = { sizeMax: 200, waitingMax: 5_000, overloaded: { kind: 'overloaded' } as const };

/** Collects concurrent requests into transactions: grants by pool (S1), renewals and releases over all pools. */
export class LeaseBatches {
  readonly #options: LeaseBatchesOptions;
  readonly #grantsByPool = new Map<number, Batcher<BatchedGrant, GrantAnswer>>();
  readonly #renewals: Batcher<RenewalRequest, Decided<Renewal> | Refusal>;
  readonly #releases: Batcher<ReleaseRequest, Decided<ReleaseVerdict> | Refusal>;

  constructor(options: LeaseBatchesOptions) {
    this.#options = options;
    const { leases } = options;
    this.#renewals = this.#batcherOf('heartbeat', (requests, expected) => leases.renew(requests, expected));
    this.#releases = this.#batcherOf('release', (requests, expected) => leases.release(requests, expected));
  }

  grant(entitlement: Entitlement, request: GrantRequest): Promise<GrantAnswer> {
    return this.#grantsOf(entitlement.poolId).add({ entitlement, request });
  }

  renew(request: RenewalRequest): Promise<Decided<Renewal> | Refusal> {
    return this.#renewals.add(request);
  }

  release(request: ReleaseRequest): Promise<Decided<ReleaseVerdict> | Refusal> {
    return this.#releases.add(request);
  }

  #batcherOf<Request, Verdict>(
    verb: string,
    transact: (requests: readonly Request[], expected: ExpectedEpoch) => Promise<InEpoch<readonly Verdict[]>>,
  ): Batcher<Request, Decided<Verdict> | Refusal> {
    return new Batcher<Request, Decided<Verdict> | Refusal>({
      ...BATCHING,
      timers: this.#options.timers,
      run: async (requests) => {
        const outcome = await this.#options.transactions.execute(verb, requests.length, (expected) =>
          transact(requests, expected),
        );
        if (outcome.kind !== 'done') return { kind: 'all', answer: outcome };
        const { result, ...committed } = outcome;
        return { kind: 'each', answers: result.map((verdict) => ({ ...committed, verdict })) };
      },
    });
  }

  #grantsOf(poolId: number): Batcher<BatchedGrant, GrantAnswer> {
    const existing = this.#grantsByPool.get(poolId);
    if (existing) return existing;
    const { timers } = this.#options;
    const batcher = new Batcher<BatchedGrant, GrantAnswer>({
      ...BATCHING,
      timers,
      run: (batched) => this.#runGrants(batched),
    });
    this.#grantsByPool.set(poolId, batcher);
    return batcher;
  }

  async #runGrants(batched: readonly BatchedGrant[]): Promise<BatchOutcome<GrantAnswer>> {
    const { transactions, leases, policy, replicationTracker } = this.#options;
    // All requests are for one pool, so the entitlement of the latest request applies to all.
    const entitlement = batched.at(-1)?.entitlement;
    if (!entitlement) return { kind: 'each', answers: [] };
    const requests = batched.map(({ request }) => request);
    // A borrow always waits for the follower, so whether it streams is checked first: a refused borrow takes no seat.
    if (requests.some(({ borrowSeconds }) => borrowSeconds !== undefined)) await replicationTracker.refresh();
    const outcome = await transactions.execute('checkout', requests.length, (expected) =>
      leases.grant({
        entitlement,
        requests,
        expected,
        policy,
        follower: replicationTracker.snapshot(expected.epoch, entitlement.poolId),
      }),
    );
    if (outcome.kind !== 'done') return { kind: 'all', answer: outcome };
    const { result, ...committed } = outcome;
    if (typeof result === 'object' && 'kind' in result) return { kind: 'all', answer: result };
    if (typeof result === 'string') return { kind: 'each', answers: batched.map(() => ({ kind: result })) };
    const { verdicts, grantSeq, ...facts } = result;
    replicationTracker.recordCommit({ ...committed, poolId: entitlement.poolId, seq: grantSeq });
    return { kind: 'each', answers: verdicts.map((verdict) => ({ ...committed, ...facts, verdict })) };
  }
}
