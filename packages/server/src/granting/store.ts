/** What granting stores. Every call may reject with `DatabaseFailure`; expected outcomes are return values. */
import type { ExpectedEpoch, FollowerSnapshot, InEpoch } from '../epochs/store';
import type { TriadRefusal } from '../redundancy/core/triad';
import type { UncertaintyPolicy } from './core/adoption';
import type { Entitlement, EntitlementName, OutagePolicy } from './core/entitlement';
import type { GrantRequest, GrantVerdict } from './core/grant';
import type { Lease, LeaseClaim, LeaseEnd, LeaseRecordState } from './core/lease';
import type { RenewalRequest, RenewalVerdict } from './core/renewal';

export interface GrantBatchRequest {
  /** The pool's entitlement. The batch is decided only if the pool's row still agrees with it. */
  readonly entitlement: Entitlement;
  readonly requests: readonly GrantRequest[];
  readonly follower: FollowerSnapshot;
  readonly expected: ExpectedEpoch;
  readonly policy: UncertaintyPolicy;
}

export interface GrantBatchResult {
  readonly verdicts: readonly GrantVerdict[];
  /** The pool's grant number after the batch. */
  readonly grantSeq: number;
  /** The follower has the pool's grants up to this number, by the pool's row or by the request's snapshot. */
  readonly ackedSeq: number;
  readonly escrow: number;
  /** The database's clock when the batch was decided. */
  readonly nowMs: number;
}

/** The pool is gone, or its row no longer agrees with the entitlement of the batch. */
export type GrantMismatch = 'entitlement_not_found' | 'entitlement_changed';

/** The pool of a lease, as the lease's token and answer describe it. */
export interface LeasedPool {
  readonly licenseId: string;
  readonly product: string;
  readonly feature: string;
  readonly leaseTtlMs: number;
  readonly onDisconnect: 'keep' | 'release';
  /** What the holder may do while it reaches no server. */
  readonly policy: OutagePolicy;
}

export interface RenewedLease {
  readonly kind: 'renewed';
  readonly lease: Lease;
  readonly pool: LeasedPool;
  /** The follower has the pool's grants up to this number, by the pool's row. */
  readonly ackedSeq: number;
  readonly escrow: number;
  /** The database's clock when the lease was renewed. */
  readonly nowMs: number;
}
export type Renewal = RenewedLease | Exclude<RenewalVerdict, { kind: 'renewed' }> | TriadRefusal;

export interface ReleaseRequest {
  readonly leaseId: string;
  /** Set when the caller may release only the leases of one Control Room. */
  readonly controlRoom: string | undefined;
  /** The name of the caller's API token. */
  readonly endedBy: string;
  readonly end: LeaseEnd;
  /** The handover that the caller proved. A lease of a later handover does not end. Undefined: the lease ends anyway. */
  readonly handover?: number | undefined;
  /** Proof of a lease that this database does not know. Its release is recorded, so that it is never adopted (S3). */
  readonly proven?: { readonly poolId: number; readonly claim: LeaseClaim };
}

export interface ReleaseVerdict {
  /** `handed_over`: a later checkout of the same installation holds the lease, which stays live. */
  readonly kind: 'released' | 'handed_over' | 'left_line' | 'already_ended' | 'recorded' | 'unknown';
}

/** A pool exceeded the seats that were sold, or returned within them. Each change is returned once. */
export interface OverdraftChange {
  readonly licenseId: string;
  readonly product: string;
  readonly feature: string;
  readonly seats: number;
  readonly overdraft: number;
  readonly seatsTaken: number;
  readonly overdrawn: boolean;
}

export interface Sweep {
  readonly expired: number;
  /** True when more leases may be due. */
  readonly more: boolean;
  readonly overdraftChanges: readonly OverdraftChange[];
}

export interface LeaseStore {
  /** Verdicts in the order of the requests, or why nothing was decided. */
  grant(batch: GrantBatchRequest): Promise<InEpoch<GrantBatchResult | GrantMismatch | TriadRefusal>>;
  renew(requests: readonly RenewalRequest[], expected: ExpectedEpoch): Promise<InEpoch<readonly Renewal[]>>;
  release(requests: readonly ReleaseRequest[], expected: ExpectedEpoch): Promise<InEpoch<readonly ReleaseVerdict[]>>;
  /** Ends a bounded number of expired leases and hold-backs. */
  expire(expected: ExpectedEpoch): Promise<InEpoch<Sweep>>;
}

/** Leases that are marked to end against their holder's will. Their seats stay taken until they end. */
export interface EndingStore {
  /** A bounded number of marked leases. */
  findMarked(expected: ExpectedEpoch): Promise<InEpoch<readonly string[]>>;
  /** Ends those of the leases that are marked. Resolves to their number. */
  end(leaseIds: readonly string[], expected: ExpectedEpoch): Promise<InEpoch<number>>;
}

/** An entitlement as its rows have it, with the signed file that proves it. */
export interface ReadEntitlement extends Entitlement {
  /** In hex. */
  readonly licenseKeySha256: string | undefined;
  /** The signed file; undefined when the license was provisioned before license files existed. */
  readonly file: string | undefined;
}

export interface EntitlementStore {
  /** Every license's entitlement of that name, in the order of the license ids. */
  find(name: EntitlementName): Promise<readonly ReadEntitlement[]>;
}

export interface PoolView {
  readonly licenseId: string;
  readonly customer: string;
  readonly product: string;
  readonly feature: string;
  readonly seats: number;
  readonly overdraft: number;
  /** Seats of live leases, less those known to be counted twice: at most `seats` and the overdraft. */
  readonly seatsTaken: number;
  readonly seatsHeldBack: number;
  readonly seatsFree: number;
  /** Reserved for Control Rooms or groups, used or not. */
  readonly seatsReserved: number;
  readonly seatsCountedTwice: number;
  readonly heldBackUntil: string | null;
  readonly leases: number;
  /** Live places in the queue. */
  readonly queueLength: number;
  readonly grantSeq: number;
  readonly escrow: number;
  readonly leaseTtlSeconds: number;
}

export interface LeaseView {
  readonly leaseId: string;
  readonly licenseId: string;
  readonly product: string;
  readonly feature: string;
  readonly holder: string;
  readonly controlRoom: string | null;
  readonly identity: string | null;
  readonly seats: number;
  readonly overdraft: boolean;
  readonly borrowed: boolean;
  readonly seq: number;
  readonly epoch: number;
  readonly state: LeaseRecordState;
  readonly grantedAt: string;
  /** The name of the API token. */
  readonly grantedBy: string | null;
  readonly expiresAt: string;
  readonly endedAt: string | null;
  readonly endedBy: string | null;
  readonly endedBecause: string | null;
  readonly adoptedFromEpoch: number | null;
}

export interface LeaseFilter {
  readonly leaseId?: string | undefined;
  readonly licenseId?: string | undefined;
  readonly controlRoom?: string | undefined;
  readonly product?: string | undefined;
  readonly feature?: string | undefined;
  readonly holder?: string | undefined;
  readonly state?: LeaseRecordState | undefined;
  /** Only leases whose id comes after this one. */
  readonly after?: string | undefined;
  readonly limit: number;
}

export interface LeaseQueries {
  readPools(): Promise<PoolView[]>;
  /** In the order of their ids, so that the last id is the cursor of the next page. */
  readLeases(filter: LeaseFilter): Promise<LeaseView[]>;
}
