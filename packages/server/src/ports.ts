/**
 * What the duties and the HTTP side need from outside. Adapters live in postgres/ and tokens/.
 * Every call may reject with `DatabaseFailure`; expected outcomes are return values.
 */
import type { AuditLog } from './audit/ports';
import type { Caller } from './auth/core/caller';
import type { Registry } from './control-rooms/ports';
import type { AuthorityRecord } from './epochs/core/authority';
import type { Lack } from './epochs/core/epoch-opening';
import type { UnprotectedRecord } from './epochs/core/replication-mode';
import type { DatabaseFact, EpochVerdict } from './epochs/core/role';
import type { UncertaintyPolicy } from './granting/core/adoption';
import type { Entitlement, EntitlementName, OutagePolicy } from './granting/core/entitlement';
import type { GrantRequest, GrantVerdict } from './granting/core/grant';
import type { Lease, LeaseClaim, LeaseEnd, LeaseState } from './granting/core/lease';
import type { RenewalRequest, RenewalVerdict } from './granting/core/renewal';
import type { Licenses } from './licenses/ports';
import type { Place, PlaceClaim } from './queue/core/queue';
import type { TriadClaims, TriadRefusal } from './redundancy/core/triad';
import type { TriadStore } from './redundancy/ports';

/** Never goes back; counts on while the process is stopped. */
export interface MonotonicClock {
  nowMs(): number;
}

/**
 * - `contention`: the database chose another transaction; the same may be tried again.
 * - `unreachable`: no connection, no answer in time, or a database that is starting or stopping.
 * - `read_only`: the database follows another one.
 * - `fault`: a mistake of ours or a broken invariant; trying again changes nothing.
 */
export type FailureKind = 'contention' | 'unreachable' | 'read_only' | 'fault';

export class DatabaseFailure extends Error {
  readonly code = 'database_failure';
  readonly kind: FailureKind;
  readonly retryable: boolean;
  /** True when the commit was sent and not answered: the transaction may have happened. */
  readonly outcomeUnknown: boolean;

  constructor(kind: FailureKind, { cause, outcomeUnknown = false }: { cause: unknown; outcomeUnknown?: boolean }) {
    super(`database ${kind}: ${cause instanceof Error ? cause.message : cause}`, { cause });
    this.kind = kind;
    this.retryable = kind !== 'fault';
    this.outcomeUnknown = outcomeUnknown;
  }
}

/** The epoch that a transaction takes place in; the database refuses it when another is open. */
export interface ExpectedEpoch {
  readonly epoch: number;
  readonly region: string;
  /** What this server holds of the triads that redundant licenses name; without it none of those is served. */
  readonly triads?: TriadClaims;
}

export interface EpochOfRegion {
  readonly epoch: number;
  readonly region: string;
}

/** Where a transaction stands towards the follower. */
export interface CommittedAt {
  /** Whoever has flushed the write-ahead log up to here has this transaction, and all that it has seen. */
  readonly lsn: string;
  /** Answers about it do not wait for the follower (S6). */
  readonly unprotected: boolean;
}

export type InEpoch<T> =
  | ({ readonly kind: 'done'; readonly result: T } & CommittedAt)
  | Extract<EpochVerdict, { kind: 'not_granting' }>;

export interface GrantBatchRequest {
  /** Whose pool it is, and what the pool must say of itself for anything to be granted. */
  readonly entitlement: Entitlement;
  readonly requests: readonly GrantRequest[];
  readonly follower: FollowerKnowledge;
  readonly expected: ExpectedEpoch;
  readonly policy: UncertaintyPolicy;
}

/** What a lease token says of its pool. */
export type SignedPool = Omit<LeasedPool, 'leaseTtlMs' | 'onDisconnect'>;

/** An entitlement as the rows have it, with what proves them. */
export interface ReadEntitlement extends Entitlement {
  /** In hex. */
  readonly licenseKeySha256: string | undefined;
  /** The signed file; undefined: provisioned before there were license files. */
  readonly file: string | undefined;
}

/** What a lease is of, as its token and its answer say it. */
export interface LeasedPool {
  readonly licenseId: string;
  readonly product: string;
  readonly feature: string;
  readonly leaseTtlMs: number;
  readonly onDisconnect: 'keep' | 'release';
  /** What its holder may do while it reaches no server. */
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
  /** The name of the API token it is asked with. */
  readonly endedBy: string;
  readonly end: LeaseEnd;
  /**
   * Lets a lease of a known pool be released that this database does not know: it is recorded, so that it is never
   * adopted (S3).
   */
  readonly proven?: { readonly poolId: number; readonly claim: LeaseClaim };
}

/** A lease whose session closed unasked. It is ended only if nobody has renewed it since. */
export interface ReclaimRequest {
  readonly leaseId: string;
  /** By the last grant or renewal in that session. */
  readonly expiresAtMs: number;
  /** The name of the API token of the session. */
  readonly endedBy: string;
}

export interface ReleaseVerdict {
  readonly kind: 'released' | 'left_line' | 'already_ended' | 'recorded' | 'unknown';
}

/** What is known of the follower when a batch is decided (S2). */
export interface FollowerKnowledge {
  /** It has the pool's grants up to this number; 0 when nothing is known. */
  readonly ackedSeq: number;
  readonly streaming: boolean;
}

/** Whether grants of an epoch go without waiting for the follower, and how often they were made to wait again. */
export interface ProtectionRow {
  readonly epoch: number;
  readonly unprotected: boolean;
  readonly changes: number;
}

export interface OpeningRequest extends ExpectedEpoch {
  readonly openedBy: string;
  /** As the authority store has it, read after the epoch was latched. */
  readonly unprotected: UnprotectedRecord | undefined;
  readonly policy: UncertaintyPolicy;
  /** How long ago, at the most recent, every proof of the epochs before had lapsed. */
  readonly lapsedAgoMs: number;
}

export type OpeningOutcome =
  | {
      readonly kind: 'opened';
      readonly lack: Lack;
      readonly leasesExtended: number;
      readonly seatsHeldBack: number;
      readonly awaitedUntilMs: number | undefined;
    }
  /** Another server of the region was faster, or the database knows a newer epoch. */
  | { readonly kind: 'already_known'; readonly newest: number };

/** One look at the database; an unreachable one is a fact, not an error. */
export interface Observation {
  readonly database: DatabaseFact;
  /** True when the other region's follower streams from this database. */
  readonly followerStreaming: boolean;
  /** True when that follower has flushed everything up to the beacon asked about. */
  readonly beaconAcknowledged: boolean;
  /** Why the database counts as unreachable, for the log. */
  readonly failure?: DatabaseFailure;
}

/** A place in line, as the database has it. */
export interface PlaceView {
  readonly leaseId: string;
  readonly licenseId: string;
  readonly product: string;
  readonly feature: string;
  /** 1 comes next. */
  readonly position: number;
  readonly seats: number;
  readonly holder: string;
  readonly controlRoom: string | null;
  readonly identity: string | null;
  readonly requestedBy: string | null;
  readonly enqueuedAt: string;
  readonly expiresAt: string;
}

export interface PlaceFilter {
  readonly licenseId?: string | undefined;
  readonly product?: string | undefined;
  readonly feature?: string | undefined;
  readonly limit: number;
}

export interface PoolView {
  readonly licenseId: string;
  readonly customer: string;
  readonly product: string;
  readonly feature: string;
  readonly seats: number;
  readonly overdraft: number;
  /** Seats of live leases, less those known to be counted twice: never more than `seats` and the overdraft. */
  readonly seatsTaken: number;
  readonly seatsHeldBack: number;
  readonly seatsFree: number;
  /** Set aside for Control Rooms or groups, used or not. */
  readonly seatsReserved: number;
  readonly seatsCountedTwice: number;
  readonly heldBackUntil: string | null;
  readonly leases: number;
  /** Live places in line. */
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
  readonly state: LeaseState;
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
  readonly state?: LeaseState | undefined;
  /** Only leases whose id comes after this one. */
  readonly after?: string | undefined;
  readonly limit: number;
}

/** Whom a valid API token speaks for. */
export interface FoundToken {
  readonly caller: Caller;
  /** By the database's clock; undefined when it does not expire. */
  readonly expiresInMs: number | undefined;
}

export interface LicenseDatabase {
  observe(beaconLsn: string | undefined): Promise<Observation>;
  /** Writes a position into the WAL that the follower's acknowledgement can be measured by. Resolves to its LSN. */
  writeBeacon(): Promise<string>;
  readProtection(): Promise<ProtectionRow | undefined>;
  /** Lets the grants of an epoch go without waiting for the follower, unless that changed since (S6). */
  grantUnprotected(epoch: EpochOfRegion, seenChanges: number): Promise<boolean>;
  /** Makes them wait again. A follower that has flushed the resolved LSN has all that was granted before. */
  protectGrants(epoch: EpochOfRegion): Promise<string | undefined>;
  /** Up to where the other region's follower has flushed the log; undefined while it does not stream. */
  readAcknowledged(): Promise<string | undefined>;
  openEpoch(request: OpeningRequest): Promise<OpeningOutcome>;
  /** Verdicts in the order of the requests, or why nothing was decided. */
  grant(batch: GrantBatchRequest): Promise<InEpoch<GrantBatchResult | GrantMismatch | TriadRefusal>>;
  renew(requests: readonly RenewalRequest[], expected: ExpectedEpoch): Promise<InEpoch<readonly Renewal[]>>;
  release(requests: readonly ReleaseRequest[], expected: ExpectedEpoch): Promise<InEpoch<readonly ReleaseVerdict[]>>;
  /** Ends leases of vanished clients, where the pool says so. Resolves to how many. */
  reclaim(requests: readonly ReclaimRequest[], expected: ExpectedEpoch): Promise<InEpoch<number>>;
  /** Ends a bounded number of lapsed leases and hold-backs. */
  expire(expected: ExpectedEpoch): Promise<InEpoch<Sweep>>;
  /** Every license's entitlement of that name, in the order of the license ids. */
  findEntitlements(name: EntitlementName): Promise<readonly ReadEntitlement[]>;
  readPools(): Promise<PoolView[]>;
  /** In the order of their ids, so that the last id is the cursor of the next page. */
  readLeases(filter: LeaseFilter): Promise<LeaseView[]>;
  /** The lines, pool by pool, each in its order. */
  readQueue(filter: PlaceFilter): Promise<PlaceView[]>;
  /** The valid ones among API tokens given as SHA-256 in hex, by that. */
  findApiTokens(sha256s: readonly string[]): Promise<ReadonlyMap<string, FoundToken>>;
  readonly licenses: Licenses;
  readonly registry: Registry;
  readonly triads: TriadStore;
  readonly audit: AuditLog;
  close(): Promise<void>;
}

/** A pool went beyond the seats that were sold, or is back within them; each change is handed out once. */
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
  /** Whether more leases may be due. */
  readonly more: boolean;
  readonly overdraftChanges: readonly OverdraftChange[];
}

/** The pool is gone, or it no longer says what the entitlement said that the requests came with. */
export type GrantMismatch = 'entitlement_not_found' | 'entitlement_changed';

export interface GrantBatchResult {
  readonly verdicts: readonly GrantVerdict[];
  /** The pool's number after the batch. */
  readonly grantSeq: number;
  /** The follower has the pool's grants up to this number, by the row or by what came with the batch. */
  readonly ackedSeq: number;
  readonly escrow: number;
  /** The database's clock when the batch was decided. */
  readonly nowMs: number;
}

export interface AuthorityAnswer {
  readonly record: AuthorityRecord;
  /** The epoch that this renewal proves, if it renewed. */
  readonly renewedEpoch: number | undefined;
}

export interface AuthorityStore {
  /** Renews the region's authority if `renew`, and reads the record in any case. */
  renew(request: { region: string; server: string; renew: boolean }): Promise<AuthorityAnswer>;
  /**
   * Records that the epoch grants without waiting for the follower (S6); resolves to whether it is recorded, which it is
   * only while the epoch is the one in force. Every later record of authority carries it until it is cleared.
   */
  recordUnprotected(epoch: EpochOfRegion): Promise<boolean>;
  /** Clears the record while it still says `since`. */
  clearUnprotected(epoch: EpochOfRegion, since: string): Promise<void>;
  close(): Promise<void>;
}

export interface LeaseTokens {
  sign(lease: Lease, pool: SignedPool, issuedAtMs: number): Promise<string>;
  /** A place's token: with it the place is taken up again under its number, should its region be lost. */
  signPlace(
    place: Place,
    pool: Omit<SignedPool, 'policy'>,
    issued: { readonly epoch: number; readonly atMs: number },
  ): Promise<string>;
  verifyPlace(token: string): Promise<PlaceClaim | undefined>;
  /** The claim of a token that one of our keys signed, whatever its age; undefined for anything else. */
  verify(token: string): Promise<LeaseClaim | undefined>;
  /** The public keys, as a JSON Web Key Set. */
  readonly jwks: { readonly keys: readonly object[] };
}

/** What offline Control Rooms get instead of answers: the same key signs it. */
export interface OfflineTokens {
  signResponse(response: {
    readonly controlRoom: string;
    readonly nonce: string;
    readonly licenseId: string;
    readonly requestSha256: string;
    readonly leases: readonly {
      readonly token: string;
      readonly nowMs: number;
      readonly lease: Pick<Lease, 'expiresAtMs'>;
    }[];
  }): Promise<string>;
  signReceipt(receipt: {
    readonly controlRoom: string;
    readonly nonce: string;
    readonly licenseId: string;
    readonly leaseIds: readonly string[];
  }): Promise<string>;
  /** The ids of the leases in a response that was signed here. */
  leaseIdsOf(response: string): string[];
}
