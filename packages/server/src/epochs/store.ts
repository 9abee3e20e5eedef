/**
 * What the epochs feature stores. Every call may reject with `DatabaseFailure`; expected outcomes are return values.
 */
import type { UncertaintyPolicy } from '../granting/core/adoption';
import type { DatabaseFailure } from '../platform/database-failure';
import type { TriadClaims } from '../redundancy/core/triad';
import type { AuthorityRecord } from './core/authority';
import type { PossibleLoss } from './core/epoch-opening';
import type { UnprotectedRecord } from './core/replication-mode';
import type { DatabaseFact, EpochVerdict } from './core/role';

export interface EpochOfRegion {
  readonly epoch: number;
  readonly region: string;
}

/** The epoch that a transaction expects. The database refuses the transaction when another epoch is open. */
export interface ExpectedEpoch extends EpochOfRegion {
  /** The triad terms that this server holds. Without them no redundant license is served. */
  readonly triads?: TriadClaims;
  /** True: the transaction is refused while grants do not wait for the follower (S6). */
  readonly requireProtection?: boolean;
}

/** The position of a committed transaction in the write-ahead log. */
export interface CommittedAt {
  /** A follower that has flushed the write-ahead log up to here has this transaction and everything that it read. */
  readonly lsn: string;
  /** True when answers about the transaction do not wait for the follower (S6). */
  readonly unprotected: boolean;
}

export type InEpoch<T> =
  | ({ readonly kind: 'done'; readonly result: T } & CommittedAt)
  | Extract<EpochVerdict, { kind: 'not_granting' }>
  | { readonly kind: 'not_protected' };

/** The state of the follower when a batch is decided (S2). */
export interface FollowerSnapshot {
  /** The follower has the pool's grants up to this number; 0 when nothing is known. */
  readonly ackedSeq: number;
  /** False: the follower does not stream, or acknowledges too late for an answer that waits for it. */
  readonly answersInTime: boolean;
}

export interface OpeningRequest extends ExpectedEpoch {
  readonly openedBy: string;
  /** The record in the authority store, read after the epoch was latched. */
  readonly unprotected: UnprotectedRecord | undefined;
  readonly policy: UncertaintyPolicy;
  /** Every proof of any earlier epoch had expired by this moment of the database's clock, in milliseconds since 1970. */
  readonly lapsedAtMs: number;
}

export type OpeningOutcome =
  | {
      readonly kind: 'opened';
      readonly possibleLoss: PossibleLoss;
      readonly leasesExtended: number;
      readonly seatsHeldBack: number;
      readonly unresolvedUntilMs: number | undefined;
    }
  /** Another server of the region opened it first, or the database knows a newer epoch. */
  | { readonly kind: 'already_known'; readonly newest: number };

/** One observation of the database. An unreachable database is a fact, not an error. */
export interface DatabaseObservation {
  readonly database: DatabaseFact;
  /** How many databases may be the other region's follower. None of them counts when there are several. */
  readonly followers: number | undefined;
  /** True when the other region's follower streams from this database, and no other one may be that follower. */
  readonly followerStreaming: boolean;
  /** True when that follower has flushed everything up to the beacon. */
  readonly beaconAcknowledged: boolean;
  /** Why the database counts as unreachable, for the log. */
  readonly failure?: DatabaseFailure;
}

export interface EpochStore {
  observe(beaconLsn: string | undefined): Promise<DatabaseObservation>;
  /** Writes a beacon into the WAL, by which the follower's acknowledgement is measured. Resolves to its LSN. */
  writeBeacon(): Promise<string>;
  /** The database's clock, in milliseconds since 1970. */
  readClock(): Promise<number>;
  open(request: OpeningRequest): Promise<OpeningOutcome>;
}

/** Whether grants of an epoch skip the wait for the follower, and how often protection was restored. */
export interface ReplicationModeRow {
  readonly epoch: number;
  readonly unprotected: boolean;
  readonly changes: number;
}

export interface ReplicationStore {
  readMode(): Promise<ReplicationModeRow | undefined>;
  /** Lets the grants of an epoch skip the wait for the follower, unless the mode changed since `seenChanges` (S6). */
  grantUnprotected(epoch: EpochOfRegion, seenChanges: number): Promise<boolean>;
  /** Restores the wait. A follower that has flushed the resolved LSN has every grant made before. */
  protectGrants(epoch: EpochOfRegion): Promise<string | undefined>;
  /** The LSN that the other region's follower has flushed; undefined while it does not stream. */
  readAcknowledged(): Promise<string | undefined>;
}

export interface AuthorityAnswer {
  readonly record: AuthorityRecord;
  /** The epoch that this renewal proves, if it renewed. */
  readonly renewedEpoch: number | undefined;
}

export interface ServerAuthorityStore {
  /** Renews the region's authority if `renew`, and reads the record in any case. */
  renew(request: { region: string; server: string; renew: boolean }): Promise<AuthorityAnswer>;
  /**
   * Records that the epoch grants without waiting for the follower (S6). Resolves to false when the epoch is no longer
   * in force. Every later authority record carries the entry until it is cleared.
   */
  recordUnprotected(epoch: EpochOfRegion): Promise<boolean>;
  /** Clears the record if it still carries `since`. */
  clearUnprotected(epoch: EpochOfRegion, since: string): Promise<void>;
  close(): Promise<void>;
}
