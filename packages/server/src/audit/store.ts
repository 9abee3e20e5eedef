/**
 * The audit log and its checkpoints, as the duties and the HTTP side need them. Like every port: expected outcomes are
 * return values, and a call may reject with `DatabaseFailure`.
 */
import type { AuditEvent } from '@evergrant/formats/audit/event';
import type { ExpectedEpoch, InEpoch } from '../epochs/store';

/** Where a chain stands. The books of a pool: seats taken by its events, and by its rows. */
export interface ChainHead {
  readonly chain: string;
  readonly seq: number;
  readonly hash: string;
  /** Undefined for the chain `system`, and where the pool is gone. */
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
  /** How often the database that the log is in was promoted, and one. */
  readonly era: number;
  /** False where the database follows another one: its log may lag behind. */
  readonly writable: boolean;
  /** In the order of their names; chains without any event are left out. */
  readonly heads: readonly ChainHead[];
}

/** Part of one chain, and what is wanted of it. */
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

/** What a checkpoint of an earlier epoch says of an event that may be lost. */
export interface RememberedEvent {
  readonly chain: string;
  readonly epoch: number;
  readonly era: number;
  readonly seq: number;
  readonly hash: string;
  readonly jws: string;
}

/**
 * - `complete`: the event is there.
 * - `declared`: it is lost, and the log says so now; `declared_before`: it did already.
 * - `contradicted`: another event of that epoch stands in its place, which is no loss.
 */
export type GapVerdict = 'complete' | 'declared' | 'declared_before' | 'contradicted';

/** Days are UTC; both ends belong to the range. */
export interface DayRange {
  /** As 2026-11-22. */
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
  /** Seats as the pool has them today. */
  readonly seats: number;
  readonly seatsPeak: number;
  /** Over the whole day; today, until now. */
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
  /** Only leases whose id comes after this one. */
  readonly after?: string | undefined;
  readonly limit: number;
}

/** What the failover controller or its operators did, as the authority store has it. */
export interface ControllerEntry {
  /** Counts from 1. */
  readonly id: number;
  /** By the store's clock. */
  readonly atMs: number;
  readonly kind: string;
  readonly detail: Readonly<Record<string, unknown>>;
}

/** Who held seats at a moment, since when and until when. */
export interface Holding extends PoolName {
  readonly leaseId: string;
  readonly holder: string;
  readonly seats: number;
  readonly controlRoom: string | null;
  readonly identity: string | null;
  readonly from: string;
  /** Null: it is held still. */
  readonly until: string | null;
  /** The kind of the event that ended it. */
  readonly ended: string | null;
}

export interface AuditLog {
  /** As of one moment. */
  state(): Promise<LogState>;
  /** Where to begin and to end in each chain to meet what happened in a time. */
  bounds(time: {
    since: string | undefined;
    until: string | undefined;
  }): Promise<Map<string, { first: number; last: number }>>;
  /** The events of a section, in their order. A section is as long as its numbers say: keep it short. */
  readSection(section: ChainSection): Promise<AuditEvent[]>;
  /** Those of the remembered events that this log does not have as they are remembered. */
  missingOf(remembered: readonly RememberedEvent[]): Promise<readonly RememberedEvent[]>;
  /** Says in the log that an event is lost, if it is. */
  declareGap(lost: RememberedEvent, expected: ExpectedEpoch): Promise<InEpoch<GapVerdict>>;
  /** Number of the newest entry of the controller's history that the log has; 0: none. */
  newestControllerEntry(): Promise<number>;
  /** Adds those of the entries that the log does not have yet, in the order of their numbers. Resolves to how many. */
  addControllerEntries(entries: readonly ControllerEntry[], expected: ExpectedEpoch): Promise<InEpoch<number>>;
  usage(range: DayRange): Promise<DayOfUse[]>;
  denials(range: DayRange): Promise<DayOfDenials[]>;
  /** In the order of the lease ids. */
  holders(filter: HolderFilter): Promise<Holding[]>;
}

export interface StoredCheckpoint {
  readonly chain: string;
  /** Counts the checkpoints of a chain, from 1. */
  readonly number: number;
  readonly epoch: number;
  readonly seq: number;
  readonly jws: string;
}

export interface CheckpointPage {
  readonly checkpoints: readonly { readonly chain: string; readonly number: number; readonly jws: string }[];
  /** The store's clock when it was read, ISO 8601. */
  readonly asOf: string;
}

export interface CheckpointFilter {
  /** Only chains that are named here; undefined: all. */
  readonly chains?: readonly string[] | undefined;
  readonly after?: { readonly chain: string; readonly number: number } | undefined;
  /** Only what was stored until then, by the store's clock. */
  readonly until?: string | undefined;
  readonly limit: number;
}

/** Checkpoints, kept where the loss of a region cannot reach them. They are added and never changed. */
export interface CheckpointStore {
  /** The newest checkpoint of each of the chains, and how long ago anything was stored. */
  newest(chains: readonly string[]): Promise<{ checkpoints: readonly StoredCheckpoint[]; idleMs: number }>;
  /** The newest checkpoint of each chain in each epoch before this one. */
  newestBefore(epoch: number): Promise<readonly StoredCheckpoint[]>;
  /**
   * Stores what the region that holds the epoch has signed. The store refuses any other region, and a number that is
   * taken. Resolves to how many it took.
   */
  add(checkpoints: readonly StoredCheckpoint[], expected: ExpectedEpoch): Promise<number>;
  /** By chain, in each by number. */
  read(filter: CheckpointFilter): Promise<CheckpointPage>;
  close(): Promise<void>;
}

/** The failover controller's history, in the authority store. It is only added to. */
export interface ControllerHistory {
  /** The entries that follow this one, oldest first; none is left out that is older than the last of them. */
  after(id: number, limit: number): Promise<readonly ControllerEntry[]>;
  close(): Promise<void>;
}
