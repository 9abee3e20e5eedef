import type { AuditEvent } from '@evergrant/formats/audit/event';
import type { ExpectedEpoch, InEpoch } from '../epochs/store';

/** The newest event of a chain. For the chain of a pool, also the seats taken by its rows and by its events. */
export interface ChainHead {
  readonly chain: string;
  readonly seq: number;
  readonly hash: string;
  /** Undefined for the chain `system`, and when the pool was removed. */
  readonly pool:
    | {
        readonly licenseId: string;
        readonly product: string;
        readonly feature: string;
        readonly seatsTaken: number;
        readonly seatsTakenByLog: number;
      }
    | undefined;
}

export interface LogState {
  /** The license database's clock, ISO 8601. */
  readonly at: string;
  /** The newest epoch that was opened; 0 before the first. */
  readonly epoch: number;
  /** Number of promotions of this database, plus one. */
  readonly era: number;
  /** False on a follower, whose log may lag behind. */
  readonly writable: boolean;
  /** Sorted by chain name; chains without events are left out. */
  readonly heads: readonly ChainHead[];
}

/** A section of one chain, with filters. */
export interface ChainSection {
  readonly chain: string;
  /** Only events after this one. */
  readonly afterSeq: number;
  /** No event after this one. */
  readonly untilSeq: number;
  readonly kind?: string | undefined;
  /** ISO 8601. */
  readonly since?: string | undefined;
  /** ISO 8601, exclusive. */
  readonly until?: string | undefined;
}

/** An event that a checkpoint of an earlier epoch covers, and that may be lost. */
export interface RememberedEvent {
  readonly chain: string;
  readonly epoch: number;
  readonly era: number;
  readonly seq: number;
  readonly hash: string;
  readonly jws: string;
}

/**
 * - `complete`: the event is present.
 * - `declared`: the event is lost, and the log now declares it; `declared_before`: the log declared it earlier.
 * - `contradicted`: the log has a different event of that epoch in its place, which is not a loss.
 */
export type GapVerdict = 'complete' | 'declared' | 'declared_before' | 'contradicted';

/** Days in UTC; the range includes both ends. */
export interface DayRange {
  /** Such as 2026-11-22. */
  readonly since: string;
  readonly until: string;
  /** Only pools of this license. */
  readonly licenseId?: string | undefined;
}

interface PoolName {
  readonly chain: string;
  readonly licenseId: string;
  readonly product: string;
  readonly feature: string;
}

export interface DayOfUse extends PoolName {
  readonly day: string;
  /** Current seats of the pool. */
  readonly seats: number;
  readonly seatsPeak: number;
  /** Average over the whole day; for today, until now. */
  readonly seatsAverage: number;
}

export interface DayOfDenials extends PoolName {
  readonly day: string;
  readonly code: string;
  readonly denials: number;
  readonly seatsAsked: number;
}

export interface HolderFilter {
  /** ISO 8601. */
  readonly at: string;
  readonly licenseId?: string | undefined;
  /** Only leases whose id sorts after this one. */
  readonly after?: string | undefined;
  readonly limit: number;
}

/** An action of the failover controller or its operators, from the authority store. */
export interface ControllerEntry {
  /** Counts from 1. */
  readonly id: number;
  /** By the store's clock. */
  readonly atMs: number;
  readonly kind: string;
  readonly detail: Readonly<Record<string, unknown>>;
}

/** A lease held at an instant, with its start and end. */
export interface Holding extends PoolName {
  readonly leaseId: string;
  readonly holder: string;
  readonly seats: number;
  readonly controlRoom: string | null;
  readonly identity: string | null;
  readonly from: string;
  /** Null while the lease is held. */
  readonly until: string | null;
  /** The kind of the event that ended the lease. */
  readonly ended: string | null;
}

/** The audit log in the license database. Each call may reject with `DatabaseFailure`. */
export interface AuditLog {
  /** Returns the heads of all chains, read at one instant. */
  state(): Promise<LogState>;
  /** Returns, per chain, the range of numbers that contains every event of a period. */
  bounds(time: {
    since: string | undefined;
    until: string | undefined;
  }): Promise<Map<string, { first: number; last: number }>>;
  /** Returns the events of a section, sorted by number. The caller keeps sections short. */
  readSection(section: ChainSection): Promise<AuditEvent[]>;
  /** Returns the remembered events that are missing or different in this log. */
  missingOf(remembered: readonly RememberedEvent[]): Promise<readonly RememberedEvent[]>;
  /** Declares in the log that an event is lost, if it is. */
  declareGap(lost: RememberedEvent, expected: ExpectedEpoch): Promise<InEpoch<GapVerdict>>;
  /** Returns the id of the newest controller entry in the log; 0 when there is none. */
  newestControllerEntry(): Promise<number>;
  /** Adds the entries that the log does not have yet, sorted by id. Resolves to their number. */
  addControllerEntries(entries: readonly ControllerEntry[], expected: ExpectedEpoch): Promise<InEpoch<number>>;
  usage(range: DayRange): Promise<DayOfUse[]>;
  denials(range: DayRange): Promise<DayOfDenials[]>;
  /** Sorted by lease id. */
  holders(filter: HolderFilter): Promise<Holding[]>;
}

export interface StoredCheckpoint {
  readonly chain: string;
  /** The number of the checkpoint in its chain, from 1. */
  readonly number: number;
  readonly epoch: number;
  readonly seq: number;
  readonly jws: string;
}

export interface CheckpointPage {
  readonly checkpoints: readonly { readonly chain: string; readonly number: number; readonly jws: string }[];
  /** The store's clock at the time of the read, ISO 8601. */
  readonly asOf: string;
}

export interface CheckpointFilter {
  /** Only these chains; undefined selects all. */
  readonly chains?: readonly string[] | undefined;
  readonly after?: { readonly chain: string; readonly number: number } | undefined;
  /** Only checkpoints stored until then, by the store's clock. */
  readonly until?: string | undefined;
  readonly limit: number;
}

/** Append-only store of checkpoints in the authority store, which survives the loss of a region. */
export interface CheckpointStore {
  /** Returns the newest checkpoint of each chain, and the time since any checkpoint was stored. */
  newest(chains: readonly string[]): Promise<{ checkpoints: readonly StoredCheckpoint[]; idleMs: number }>;
  /** Returns the newest checkpoint of each chain in each earlier epoch. */
  newestBefore(epoch: number): Promise<readonly StoredCheckpoint[]>;
  /**
   * Stores checkpoints of the region that holds the epoch. The store rejects any other region, and a number that is already
   * used. Resolves to the number of stored checkpoints.
   */
  add(checkpoints: readonly StoredCheckpoint[], expected: ExpectedEpoch): Promise<number>;
  /** Sorted by chain, then by number. */
  read(filter: CheckpointFilter): Promise<CheckpointPage>;
  close(): Promise<void>;
}

/** The failover controller's append-only history in the authority store. */
export interface ControllerHistory {
  /** Returns the entries after this id, oldest first and without gaps. */
  after(id: number, limit: number): Promise<readonly ControllerEntry[]>;
  close(): Promise<void>;
}
