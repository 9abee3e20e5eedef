import { DEFAULT_POLICY } from '@evergrant/controller/core/policy';
import type { Region } from '@evergrant/core/regions';
import type { OpeningOutcome } from '@evergrant/server/epochs/store';
import { Ohio } from './actors/authority-store';
import { CheckpointShelf } from './actors/checkpoint-store';
import { Controller } from './actors/controller';
import { DatabaseService } from './actors/database-service';
import { Mint } from './actors/fake-signer';
import { EDGE_ADDRESS, Installation } from './actors/installation';
import { LicenseServer, REGION_ADDRESSES } from './actors/license-server';
import { HumanOperator } from './actors/operator';
import { Edge, Site } from './actors/region';
import { Witness } from './actors/witness';
import { AuditBook } from './checkers/audit-checker';
import { Sight } from './checkers/failover-checker';
import { Ledger } from './checkers/grant-checker';
import { Connection } from './database/connection';
import { DatabaseServer } from './database/database-server';
import { SimulatedLicenseDatabase } from './database/license-database';
import { Tables } from './database/tables';
import { Lull } from './fast-forward';
import type { Without } from './mutations';
import { type RoomShape, type Scenario, SKEW_MS } from './scenario/scenario';
import { Random } from './time/random';
import { Clockwork } from './time/virtual-clock';
import { BEGINNING_MS, Host } from './topology/host';
import { Network, type Place } from './topology/network';

const REGIONS: readonly Region[] = ['oregon', 'virginia'];
/** After a fault everything takes so long at most to be as it was. */
const CALM_MS_MIN = 60_000;
const BORROW_SECONDS_MAX = 3_600;

export interface TraceLine {
  readonly atMs: number;
  readonly who: string;
  readonly text: string;
}

/** Two regions, Ohio, the public address and the customers, all in one place and in virtual time. */
export class World {
  readonly clockwork = new Clockwork();
  readonly random: Random;
  readonly network: Network;
  readonly scenario: Scenario;
  readonly without: Without;
  readonly trace: TraceLine[] = [];
  readonly mint: Mint;
  readonly ledger: Ledger;
  readonly sight: Sight;
  readonly sites: Readonly<Record<Region, Site>>;
  readonly databases: DatabaseService;
  readonly ohio: Ohio;
  readonly auditBook: AuditBook;
  readonly edge: Edge;
  readonly witness: Witness;
  readonly controllers: readonly Controller[];
  readonly operator: HumanOperator;
  readonly rooms: readonly Installation[];
  readonly lull: Lull;
  /** Told whenever an operation enters a phase. */
  onPhase: (phase: string) => void = () => undefined;
  /** Since when there is no fault; infinite: there is one. */
  calmSinceMs = 0;
  readonly #tracing: boolean;
  readonly #auditNetwork: Network;
  readonly #shelf: CheckpointShelf;
  #phase = '';
  #ids = 0;

  constructor(scenario: Scenario, { without, tracing }: { without: Without; tracing: boolean }) {
    this.scenario = scenario;
    this.without = without;
    this.#tracing = tracing;
    this.random = new Random(scenario.seed ^ 0x5eed);
    this.network = new Network(this.clockwork, this.random.fork());
    this.mint = new Mint(without);
    this.sites = { oregon: this.#newSite('oregon'), virginia: this.#newSite('virginia') };
    this.databases = new DatabaseService({
      ...{ sites: this.sites, clockwork: this.clockwork, network: this.network },
      newHost: (region) => this.#newHost(`${region}/db`, region),
    });
    this.ledger = this.#newLedger();
    this.ohio = this.#newOhio();
    this.auditBook = new AuditBook(this.ledger);
    this.#auditNetwork = this.network.beside(new Random(scenario.seed ^ 0xa0d17));
    this.#shelf = this.#newShelf();
    this.#newDatabases();
    this.edge = new Edge({ host: this.#newHost('edge', 'edge'), network: this.network, sites: this.sites });
    this.witness = new Witness({
      ...{
        host: this.#newHost('witness', 'ohio', { isRoutine: true }),
        network: this.network,
        site: this.sites.oregon,
      },
    });
    this.sight = new Sight(this);
    for (const region of REGIONS) this.#newServers(region);
    this.operator = new HumanOperator(this.#newHost('operator', 'field'), this);
    this.controllers = Array.from({ length: scenario.controllers }, (_, index) => {
      return new Controller(this.#newHost(`controller-${index + 1}`, 'virginia', { isRoutine: true }), this);
    });
    this.rooms = scenario.rooms.map((shape, index) => this.#newRoom(shape, `room-${index + 1}`));
    this.lull = new Lull(this);
    this.sight.look();
  }

  get phase(): string {
    return this.#phase;
  }

  newId(of: string): string {
    this.#ids += 1;
    return `${of}-${this.#ids}`;
  }

  tell(who: string, text: string): void {
    if (this.#tracing) this.trace.push({ atMs: this.clockwork.nowMs, who, text });
  }

  server(name: string): LicenseServer | undefined {
    return REGIONS.flatMap((region) => this.sites[region].servers).find(({ host }) => host.name === name);
  }

  /** Any process by its name. */
  host(name: string): Host | undefined {
    return this.hosts.find((host) => host.name === name);
  }

  get hosts(): readonly Host[] {
    const sites = REGIONS.flatMap((region) => {
      const { router, servers, database } = this.sites[region];
      return [router, ...servers.map(({ host }) => host), ...(database ? [database.host] : [])];
    });
    const { ohio, edge, witness, controllers, rooms } = this;
    return [...sites, ...[ohio, edge, witness, ...controllers, ...rooms].map(({ host }) => host)];
  }

  /** Something outside the processes has changed: lines, databases. */
  changed(): void {
    this.databases.changed();
    this.sight.look();
    this.lull.stir();
  }

  #newHost(name: string, place: Place, { late = false, isRoutine = false } = {}): Host {
    const { timersLateMsMax, aheadMs } = this.scenario;
    return new Host({
      ...{ name, place, clockwork: this.clockwork, random: this.random, aheadMs: aheadMs[name] ?? 0 },
      ...{ timersLateMsMax: late ? timersLateMsMax : 0, isRoutine },
    });
  }

  #newSite(region: Region): Site {
    return new Site({
      ...{ region, router: this.#newHost(`${region}/router`, region), network: this.network },
      ...{ random: this.random, active: region === 'oregon' },
    });
  }

  #newLedger(): Ledger {
    const { leaseTtlMs, pools } = this.scenario;
    const { authorityLeaseMs } = DEFAULT_POLICY;
    return new Ledger({
      ...{ mint: this.mint, leaseTtlMs, policy: { authorityLeaseMs, skewMs: SKEW_MS } },
      nowMs: () => this.clockwork.nowMs,
      holders: () => this.rooms ?? [],
      capacityOf: (poolId) => {
        const pool = pools[poolId - 1];
        return pool ? pool.seats + pool.overdraft : 0;
      },
      databaseNowMs: (region) => this.sites[region as Region].database?.host.wallMs(),
      tell: (who, text) => this.tell(who, text),
    });
  }

  #newOhio(): Ohio {
    return new Ohio({
      ...{ host: this.#newHost('ohio', 'ohio'), network: this.network, without: this.without },
      news: {
        latched: (epoch, region, operationId) => {
          this.tell('ohio', `epoch ${epoch} is ${region}'s`);
          const { operation } = this.ohio.control;
          if (operation?.id === operationId && operation.automatic) this.sight.judgeFailover();
        },
        renewed: (region) => {
          if (region === 'oregon') this.sight.renewed();
        },
        opened: (epoch, opensInMs, lapsedInMs) => {
          this.tell('ohio', `epoch ${epoch} opens in ${Math.round(opensInMs)} ms`);
          const { nowMs } = this.clockwork;
          this.ledger.opened(epoch, nowMs + opensInMs, nowMs + lapsedInMs);
        },
        controlled: ({ operation }) => {
          const phase = operation?.phase ?? '';
          if (phase === this.#phase) return;
          this.#phase = phase;
          this.changed();
          if (phase !== '') this.onPhase(phase);
        },
      },
    });
  }

  #newShelf(): CheckpointShelf {
    return new CheckpointShelf({
      ...{ ohio: this.ohio, network: this.#auditNetwork },
      onStored: (checkpoint, region) => {
        this.auditBook.stored(checkpoint, this.sites[region as Region].database?.tables);
      },
    });
  }

  /** A hand-over while nothing is wrong, or has been for a while. */
  #judgeOpening(outcome: OpeningOutcome): void {
    const { operation } = this.ohio.control;
    if (outcome.kind !== 'opened' || !operation || operation.automatic) return;
    const { nowMs } = this.clockwork;
    const beganAtMs = BEGINNING_MS + nowMs - Math.max(0, this.ohio.host.wallMs() - operation.startedAtMs);
    const calmMs = beganAtMs - BEGINNING_MS - this.calmSinceMs;
    if (calmMs < CALM_MS_MIN || outcome.lack === 'nothing') return;
    this.ledger.breaks('nothing-lost-by-plan', `the opening reckoned with the loss of ${outcome.lack}`);
  }

  #newDatabases(): void {
    const { pools, leaseTtlMs } = this.scenario;
    const tables = new Tables();
    pools.forEach((pool, index) => {
      tables.apply({
        table: 'pool',
        row: {
          ...pool,
          ...{
            id: index + 1,
            seatsTaken: 0,
            seatsHeldBack: 0,
            seatsAwaited: 0,
            seatsOver: 0,
            awaitedUntilMs: undefined,
          },
          ...{ grantSeq: 0, ackedSeq: 0, queueSeq: 0, leaseTtlMs, borrowSecondsMax: BORROW_SECONDS_MAX },
        },
      });
    });
    for (const region of REGIONS) {
      this.sites[region].database = new DatabaseServer({
        ...{ host: this.#newHost(`${region}/db`, region), tables: tables.copy(), position: 1, era: 1 },
        role: region === 'oregon' ? 'primary' : 'follower',
      });
    }
    this.databases.connect('oregon');
  }

  #newServers(region: Region): void {
    const { network, random, without, mint, ledger } = this;
    const { authorityLeaseMs, skewMs } = DEFAULT_POLICY;
    const { unprotectedAfterMs, serversPerRegion, coarse = false, leaps = false } = this.scenario;
    const site = this.sites[region];
    for (let number = 1; number <= serversPerRegion; number++) {
      const host = this.#newHost(`${region}/app-${number}`, region, { late: true, isRoutine: true });
      const onOpened = (outcome: OpeningOutcome) => this.#judgeOpening(outcome);
      const endpoint = () => ({ database: site.database, stream: this.databases.stream(region) });
      const connection = { host, endpoint, network, without, readsPromptly: coarse };
      site.servers.push(
        new LicenseServer({
          ...{ host, region, mint, random, ledger, without },
          database: new SimulatedLicenseDatabase({
            ...{ ...connection, onOpened },
            auditConnection: new Connection({ ...connection, network: this.#auditNetwork }),
          }),
          authorityStore: this.ohio.forServer(host),
          checkpointStore: this.#shelf.forServer(host),
          policy: { authorityLeaseMs, renewalEveryMs: 5_000, skewMs, unprotectedAfterMs },
          tell: (text) => this.tell(host.name, text),
          idles: leaps ? 'seldom' : coarse ? 'less' : 'often',
        }),
      );
    }
  }

  #newRoom({ place, knowsRegions, ...appetite }: RoomShape, name: string): Installation {
    const addresses = knowsRegions ? [EDGE_ADDRESS, ...Object.values(REGION_ADDRESSES)] : [EDGE_ADDRESS];
    return new Installation({
      ...{ host: this.#newHost(name, place), world: this, random: this.random.fork(), name, appetite, addresses },
    });
  }
}
