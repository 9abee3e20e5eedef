import type { Region } from '@evergrant/core/regions';
import type { Alert } from './core/alerts';
import type { AuthorityView } from './core/authority';
import type { ControlRecord } from './core/control-record';
import type { DatabaseView } from './core/database-view';
import type { Fact } from './core/facts';
import type { HistoryEntry, RecordedEntry } from './core/history';
import type { AclView, DatabaseServiceView, EdgeView, OutsideView } from './core/phase-views';

/**
 * What the cycle needs from the world. Looking never throws for what it looks at: an unreachable thing is an answer.
 * Acting may throw an `OperatingError`; whether it had an effect is found out by looking, on the next cycle. Every
 * call is bounded in time by its adapter.
 */

/** Asks a region's license servers through the region's own router. */
export interface AppProbe {
  probe(region: Region): Promise<Fact>;
}

/** The license databases by SQL, each region's through its own endpoint. */
export interface DatabasePort {
  view(region: Region): Promise<DatabaseView>;
  /** Asks the follower to become a primary database, unless it knows an epoch newer than `epochAtMost`. Does not wait. */
  promote(region: Region, epochAtMost: number): Promise<void>;
  /** A write that a primary database accepts and everything else refuses. */
  verifyWrite(region: Region): Promise<Fact>;
  /** A transactional stop: once it returns, nothing can be granted in this epoch. Idempotent. */
  closeEpoch(region: Region, epoch: number): Promise<void>;
}

/** The observer outside both regions. */
export interface WitnessPort {
  view(region: Region): Promise<Fact>;
}

/** Each region's router: whether it lets calls in. */
export interface RouterPort {
  acl(region: Region): Promise<AclView>;
  /** Answers every call with where to go instead. */
  fence(region: Region, activeRegion: Region): Promise<void>;
  serve(region: Region): Promise<void>;
}

/** The public address. */
export interface EdgePort {
  target(): Promise<EdgeView>;
  pointTo(region: Region): Promise<void>;
  /** What a customer sees: who answers at the public address, and whether it grants. */
  outside(): Promise<OutsideView>;
}

/** The service that runs databases: RDS, or the world's database supervisor. */
export interface DatabaseServicePort {
  view(region: Region): Promise<DatabaseServiceView>;
  /** Stops the region's databases and keeps what they hold aside, for reconciliation. */
  keep(region: Region): Promise<void>;
  /** Begins to build a follower of the other region's primary database. Does not wait. */
  follow(region: Region): Promise<void>;
}

/** The authority record. Each write states the epoch it believes in; the store refuses the stale writer. */
export interface AuthorityStore {
  read(): Promise<AuthorityView>;
  /** Takes epoch `fromEpoch + 1` for `region`, closed until it is opened; `conflict` when the epoch is another. */
  latch(latch: { fromEpoch: number; region: Region; operationId: string }): Promise<'written' | 'conflict'>;
  /**
   * Opens the latched epoch at `lapsedAtMs`, or now when that has passed, and keeps `lapsedAtMs` for the servers that
   * take over; once only, and only for its own operation.
   */
  open(opening: { epoch: number; operationId: string; lapsedAtMs: number }): Promise<'written' | 'conflict'>;
}

/** The control record and the history. */
export interface ControlStore {
  read(): Promise<{ version: number; record: ControlRecord }>;
  /** Writes record and history together, if the version is still the one that was read. */
  write(write: {
    version: number;
    record: ControlRecord;
    history: readonly HistoryEntry[];
  }): Promise<'written' | 'conflict'>;
  /** Newest first. */
  history(limit: number): Promise<readonly RecordedEntry[]>;
}

export interface AlertPort {
  send(alert: Alert): Promise<void>;
}

export interface Clock {
  /** Milliseconds since 1970. */
  nowMs(): number;
  /** A name nobody else has, for an operation, a request or an alert. */
  newId(): string;
}

export interface Ports {
  readonly apps: AppProbe;
  readonly databases: DatabasePort;
  readonly witness: WitnessPort;
  readonly routers: RouterPort;
  readonly edge: EdgePort;
  readonly databaseService: DatabaseServicePort;
  readonly authority: AuthorityStore;
  readonly control: ControlStore;
  readonly alerts: AlertPort;
  readonly clock: Clock;
}
