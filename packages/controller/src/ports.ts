import type { Region } from '@evergrant/core/regions';
import type { Alert } from './core/alerts';
import type { AuthorityView } from './core/authority';
import type { ControlRecord } from './core/control-record';
import type { DatabaseView } from './core/database-view';
import type { Fact } from './core/facts';
import type { HistoryEntry, RecordedEntry } from './core/history';
import type { AclView, DatabaseServiceView, EdgeView, OutsideView } from './core/views';

/**
 * The ports of the cycle. An observation never throws for the state of the observed thing: `unreachable` is an answer.
 * An effect may throw an `OperatingError`; whether it worked is observed in the next cycle. Every adapter bounds the
 * duration of its calls.
 */

/** Probes a region's license servers through the region's own router. */
export interface AppProbe {
  probe(region: Region): Promise<Fact>;
}

/** The license databases by SQL, each region's through its own endpoint. */
export interface DatabasePort {
  view(region: Region): Promise<DatabaseView>;
  /** Starts the promotion of the follower, unless it has an epoch newer than `epochAtMost`. Does not wait. */
  promote(region: Region, epochAtMost: number): Promise<void>;
  /** A write that only a primary database accepts. */
  verifyWrite(region: Region): Promise<Fact>;
  /** A transactional stop: after it returns, nothing can be granted in this epoch. Idempotent. */
  closeEpoch(region: Region, epoch: number): Promise<void>;
}

/** The observer outside both regions. */
export interface WitnessPort {
  view(region: Region): Promise<Fact>;
}

/** Each region's router: whether it lets calls in. */
export interface RouterPort {
  acl(region: Region): Promise<AclView>;
  /** Answers every call with the name of the active region. */
  fence(region: Region, activeRegion: Region): Promise<void>;
  serve(region: Region): Promise<void>;
}

/** The public address. */
export interface EdgePort {
  target(): Promise<EdgeView>;
  pointTo(region: Region): Promise<void>;
  /** The answer that a customer gets at the public address: which region answers, and whether it grants. */
  outside(): Promise<OutsideView>;
}

/** The service that runs databases: RDS, or the local cluster's database supervisor. */
export interface DatabaseServicePort {
  view(region: Region): Promise<DatabaseServiceView>;
  /** Stops the region's databases and keeps their data under another name, for reconciliation. */
  archive(region: Region): Promise<void>;
  /** Starts to build a follower of the other region's primary database. Does not wait. */
  follow(region: Region): Promise<void>;
}

/** The authority record. Each write names the epoch it is based on; the store refuses the stale writer. */
export interface AuthorityStore {
  read(): Promise<AuthorityView>;
  /** Takes epoch `fromEpoch + 1` for `region`, closed until it is opened; `conflict` if the epoch is another. */
  latch(latch: { fromEpoch: number; region: Region; operationId: string }): Promise<'written' | 'conflict'>;
  /**
   * Opens the latched epoch at `lapsedAtMs`, or now if that time has passed, and stores `lapsedAtMs` for the servers that
   * take over. Works once, and only for its own operation.
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
  /** A unique name for an operation, a request or an alert. */
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
