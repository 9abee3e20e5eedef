import type { ManagedLease } from '@evergrant/client/leases/managed-lease';
import type { Region } from '@evergrant/core/regions';
import type { SimulatedAuthorityStore } from './actors/authority-store';
import type { SimulatedDatabaseService } from './actors/database-service';
import type { FakeSigner } from './actors/fake-signer';
import type { Edge, SimulatedRegion } from './actors/region';
import type { Witness } from './actors/witness';
import type { AuditChecker } from './checkers/audit-checker';
import type { GrantChecker, Holder } from './checkers/grant-checker';
import type { Violations } from './checkers/violations';
import type { DisabledRules } from './mutations';
import type { Scenario } from './scenario/scenario';
import type { Random } from './time/random';
import type { VirtualClock } from './time/virtual-clock';
import type { Host } from './topology/host';
import type { Network } from './topology/network';

export interface TraceEntry {
  /** Virtual time. */
  readonly atMs: number;
  readonly source: string;
  readonly text: string;
}

/** A Control Room as the checkers see it. */
export interface SimulatedControlRoom extends Holder {
  readonly host: Host;
  readonly keepers: readonly ManagedLease[];
}

/** The parts of one run that actors, checkers and the fast-forward depend on; `World` builds them. */
export interface SimulationContext {
  readonly scenario: Scenario;
  readonly disabled: DisabledRules;
  readonly virtualClock: VirtualClock;
  readonly random: Random;
  readonly network: Network;
  readonly fakeSigner: FakeSigner;
  readonly violations: Violations;
  readonly grantChecker: GrantChecker;
  readonly auditChecker: AuditChecker;
  readonly regions: Readonly<Record<Region, SimulatedRegion>>;
  readonly databases: SimulatedDatabaseService;
  readonly authorityStore: SimulatedAuthorityStore;
  readonly edge: Edge;
  readonly witness: Witness;
  readonly rooms: readonly SimulatedControlRoom[];
  /** All processes. */
  readonly hosts: readonly Host[];
  /** Virtual time since which no fault is active; infinite while one is. */
  readonly calmSinceMs: number;
  /** Adds an entry to the trace. */
  record(source: string, text: string): void;
  newId(prefix: string): string;
}
