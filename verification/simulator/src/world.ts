import { DEFAULT_POLICY } from '@evergrant/controller/core/policy';
import type { Region } from '@evergrant/core/regions';
import { SimulatedAuthorityStore } from './actors/authority-store';
import { SimulatedCheckpointStore } from './actors/checkpoint-store';
import { Controller } from './actors/controller';
import { SimulatedDatabaseService } from './actors/database-service';
import { FakeSigner } from './actors/fake-signer';
import { EDGE_ADDRESS, REGION_ADDRESSES } from './actors/http';
import { Installation } from './actors/installation';
import { SimulatedLicenseServer } from './actors/license-server';
import { HumanOperator } from './actors/operator';
import { Edge, SimulatedRegion } from './actors/region';
import { Witness } from './actors/witness';
import { AuditChecker } from './checkers/audit-checker';
import { FailoverChecker } from './checkers/failover-checker';
import { GrantChecker } from './checkers/grant-checker';
import { Violations } from './checkers/violations';
import type { SimulationContext, TraceEntry } from './context';
import { Connection } from './database/connection';
import { DatabaseServer } from './database/database-server';
import { initialTables } from './database/initial-tables';
import { SimulatedLicenseDatabase } from './database/license-database';
import { FastForward } from './fast-forward';
import type { DisabledRules } from './mutations';
import { type RoomShape, type Scenario, SKEW_MS } from './scenario/scenario';
import { Random } from './time/random';
import { VirtualClock } from './time/virtual-clock';
import { Host } from './topology/host';
import { Network } from './topology/network';
import type { SimulatedPlace } from './topology/place';

const REGIONS: readonly Region[] = ['oregon', 'virginia'];
/** Separate random sequences: the audit log's delays change nothing else in a run. */
const WORLD_SEED = 0x5eed;
const AUDIT_SEED = 0xa0d17;
const RENEWAL_EVERY_MS = 5_000;

/** Builds one run: two regions, the authority store, the public address, controllers and Control Rooms. */
export class SimulatedWorld implements SimulationContext {
  readonly scenario: Scenario;
  readonly disabled: DisabledRules;
  readonly trace: TraceEntry[] = [];
  readonly virtualClock = new VirtualClock();
  readonly random: Random;
  readonly network: Network;
  readonly fakeSigner: FakeSigner;
  readonly violations = new Violations((violation) => this.record('checker', `VIOLATION ${violation.message}`));
  readonly grantChecker: GrantChecker;
  readonly failoverChecker: FailoverChecker;
  readonly auditChecker: AuditChecker;
  readonly regions: Readonly<Record<Region, SimulatedRegion>>;
  readonly databases: SimulatedDatabaseService;
  readonly authorityStore: SimulatedAuthorityStore;
  readonly edge: Edge;
  readonly witness: Witness;
  readonly controllers: readonly Controller[];
  readonly operator: HumanOperator;
  readonly rooms: Installation[] = [];
  readonly fastForward: FastForward;
  /** Called whenever an operation enters a phase. */
  onPhase: (phase: string) => void = () => undefined;
  calmSinceMs = 0;
  readonly #tracing: boolean;
  readonly #auditNetwork: Network;
  readonly #checkpoints: SimulatedCheckpointStore;
  #phase = '';
  #ids = 0;

  constructor(scenario: Scenario, { disabled, tracing }: { disabled: DisabledRules; tracing: boolean }) {
    this.scenario = scenario;
    this.disabled = disabled;
    this.#tracing = tracing;
    this.random = new Random(scenario.seed ^ WORLD_SEED);
    this.network = new Network(this.virtualClock, this.random.fork());
    this.fakeSigner = new FakeSigner(disabled);
    this.regions = { oregon: this.#newRegion('oregon'), virginia: this.#newRegion('virginia') };
    this.databases = this.#newDatabases();
    this.grantChecker = this.#newGrantChecker();
    this.authorityStore = this.#newAuthorityStore();
    this.auditChecker = new AuditChecker(this.violations);
    this.#auditNetwork = this.network.beside(new Random(scenario.seed ^ AUDIT_SEED));
    this.#checkpoints = this.#newCheckpointStore();
    this.edge = new Edge({ host: this.#newHost('edge', 'edge'), network: this.network, regions: this.regions });
    this.witness = this.#newWitness();
    this.failoverChecker = new FailoverChecker(this);
    for (const region of REGIONS) this.#newServers(region);
    this.operator = new HumanOperator(this.#newHost('operator', 'field'), this);
    this.controllers = Array.from({ length: scenario.controllers }, (_, index) => {
      return new Controller(this.#newHost(`controller-${index + 1}`, 'virginia', { isRoutine: true }), this);
    });
    scenario.rooms.forEach((shape, index) => {
      this.rooms.push(this.#newRoom(shape, `room-${index + 1}`));
    });
    this.fastForward = new FastForward(this);
    this.failoverChecker.observe();
  }

  /** The phase of the operation in progress; empty while there is none. */
  get phase(): string {
    return this.#phase;
  }

  newId(prefix: string): string {
    this.#ids += 1;
    return `${prefix}-${this.#ids}`;
  }

  record(source: string, text: string): void {
    if (this.#tracing) this.trace.push({ atMs: this.virtualClock.nowMs, source, text });
  }

  server(name: string): SimulatedLicenseServer | undefined {
    return REGIONS.flatMap((region) => this.regions[region].servers).find(({ host }) => host.name === name);
  }

  host(name: string): Host | undefined {
    return this.hosts.find((host) => host.name === name);
  }

  get hosts(): readonly Host[] {
    const inRegions = REGIONS.flatMap((region) => {
      const { router, servers, database } = this.regions[region];
      return [router, ...servers.map(({ host }) => host), ...(database ? [database.host] : [])];
    });
    const { authorityStore, edge, witness, controllers, rooms } = this;
    return [...inRegions, ...[authorityStore, edge, witness, ...controllers, ...rooms].map(({ host }) => host)];
  }

  /** Links, databases or processes have changed. */
  changed(): void {
    this.databases.changed();
    this.failoverChecker.observe();
    this.fastForward.noteActivity();
  }

  #newHost(name: string, place: SimulatedPlace, { late = false, isRoutine = false } = {}): Host {
    const { timersLateMsMax, aheadMs } = this.scenario;
    return new Host({
      name,
      place,
      virtualClock: this.virtualClock,
      random: this.random,
      aheadMs: aheadMs[name] ?? 0,
      timersLateMsMax: late ? timersLateMsMax : 0,
      isRoutine,
    });
  }

  #newRegion(region: Region): SimulatedRegion {
    return new SimulatedRegion({
      region,
      router: this.#newHost(`${region}/router`, region),
      network: this.network,
      random: this.random,
      active: region === 'oregon',
    });
  }

  #newDatabases(): SimulatedDatabaseService {
    const { pools, leaseTtlMs } = this.scenario;
    const { regions, virtualClock, network } = this;
    const newHost = (region: Region): Host => this.#newHost(`${region}/db`, region);
    const service = new SimulatedDatabaseService({ regions, virtualClock, network, newHost });
    for (const region of REGIONS) {
      const role = region === 'oregon' ? 'primary' : 'follower';
      const tables = initialTables(pools, leaseTtlMs);
      regions[region].database = new DatabaseServer({ host: newHost(region), tables, position: 1, era: 1, role });
    }
    service.connect('oregon');
    return service;
  }

  #newGrantChecker(): GrantChecker {
    const { leaseTtlMs, pools } = this.scenario;
    const { authorityLeaseMs } = DEFAULT_POLICY;
    return new GrantChecker({
      fakeSigner: this.fakeSigner,
      violations: this.violations,
      leaseTtlMs,
      policy: { authorityLeaseMs, skewMs: SKEW_MS },
      nowMs: () => this.virtualClock.nowMs,
      holders: () => this.rooms,
      capacityOf: (poolId) => {
        const pool = pools[poolId - 1];
        return pool ? pool.seats + pool.overdraft : 0;
      },
      databaseClock: (region) => {
        const host = this.regions[region as Region].database?.host;
        return host && { nowMs: host.wallMs(), aheadMs: host.aheadMs };
      },
      clockIsSteady: (region) =>
        !this.scenario.faults.some(({ kind, where }) => kind === 'clock' && where === `${region}/db`),
      record: (source, text) => this.record(source, text),
    });
  }

  #newAuthorityStore(): SimulatedAuthorityStore {
    return new SimulatedAuthorityStore({
      host: this.#newHost('ohio', 'ohio'),
      kind: this.scenario.authorityStore ?? 'sql',
      network: this.network,
      disabled: this.disabled,
      observer: {
        latched: (epoch, region, operationId) => {
          this.record('ohio', `${region} takes epoch ${epoch}`);
          const { operation } = this.authorityStore.control;
          if (operation?.id === operationId && operation.automatic) this.failoverChecker.checkFailover();
        },
        renewed: (region) => {
          if (region === 'oregon') this.failoverChecker.renewed();
        },
        opened: (epoch, opensInMs, lapsedInMs) => {
          this.record('ohio', `epoch ${epoch} opens in ${Math.round(opensInMs)} ms`);
          const { nowMs } = this.virtualClock;
          this.grantChecker.opened(epoch, nowMs + opensInMs, nowMs + lapsedInMs);
        },
        controlWritten: ({ operation }) => this.#enterPhase(operation?.phase ?? ''),
      },
    });
  }

  #enterPhase(phase: string): void {
    if (phase === this.#phase) return;
    this.#phase = phase;
    this.changed();
    if (phase !== '') this.onPhase(phase);
  }

  #newCheckpointStore(): SimulatedCheckpointStore {
    return new SimulatedCheckpointStore({
      authorityStore: this.authorityStore,
      network: this.#auditNetwork,
      onStored: (checkpoint, region) => {
        this.auditChecker.stored(checkpoint, this.regions[region as Region].database?.tables);
      },
    });
  }

  #newWitness(): Witness {
    const host = this.#newHost('witness', 'ohio', { isRoutine: true });
    return new Witness({ host, network: this.network, simulatedRegion: this.regions.oregon });
  }

  #newServers(region: Region): void {
    const { serversPerRegion } = this.scenario;
    for (let number = 1; number <= serversPerRegion; number++) {
      const host = this.#newHost(`${region}/app-${number}`, region, { late: true, isRoutine: true });
      this.regions[region].servers.push(this.#newServer(host, region));
    }
  }

  #newServer(host: Host, region: Region): SimulatedLicenseServer {
    const { network, random, disabled, fakeSigner, grantChecker, violations } = this;
    const { authorityLeaseMs, skewMs } = DEFAULT_POLICY;
    const { unprotectedAfterMs, coarse = false, skipsIdleTime = false } = this.scenario;
    const simulatedRegion = this.regions[region];
    const endpoint = () => {
      const { database, hasForeignWalsender } = simulatedRegion;
      return { database, stream: this.databases.stream(region), hasForeignWalsender };
    };
    const connection = { host, endpoint, network, disabled, readsPromptly: coarse };
    return new SimulatedLicenseServer({
      host,
      region,
      fakeSigner,
      random,
      grantChecker,
      violations,
      disabled,
      database: new SimulatedLicenseDatabase({
        ...connection,
        onOpened: (outcome) => this.failoverChecker.checkOpening(outcome),
        auditConnection: new Connection({ ...connection, network: this.#auditNetwork }),
      }),
      authorityStore: this.authorityStore.forServer(host),
      checkpointStore: this.#checkpoints.forServer(host),
      policy: { authorityLeaseMs, renewalEveryMs: RENEWAL_EVERY_MS, skewMs, unprotectedAfterMs },
      record: (text) => this.record(host.name, text),
      pace: skipsIdleTime ? 'rare' : coarse ? 'reduced' : 'full',
    });
  }

  #newRoom({ place, knowsRegions, ...demand }: RoomShape, name: string): Installation {
    const addresses = knowsRegions ? [EDGE_ADDRESS, ...Object.values(REGION_ADDRESSES)] : [EDGE_ADDRESS];
    return new Installation({
      host: this.#newHost(name, place),
      context: this,
      random: this.random.fork(),
      name,
      demand,
      addresses,
    });
  }
}
