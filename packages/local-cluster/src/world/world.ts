import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Alert } from '@evergrant/controller/core/alerts';
import type { Clock } from '@evergrant/controller/ports';
import type { Region } from '@evergrant/core/regions';
import type { FastifyInstance } from 'fastify';
import { openStores, type SqlStores } from '../adapters/sql-stores';
import { Layout, type LinkName, LOOPBACK } from '../layout';
import { composeWorld, type WorldComponents } from './compose';
import { type LinkChange, type ProcessAction, serveControl, type WorldControl } from './control-api';
import { ControlRecordPoller } from './control-record-poller';
import { Databases } from './databases';
import { DemoLoad } from './demo-load';
import { controller } from './environment';
import { EventLog } from './events';
import { projectRoot } from './files';
import { countAdopted } from './lease-count';
import type { WorldLicense } from './licensing';
import type { StartOptions } from './options';
import { requireFreePorts } from './ports';
import { runMigrations } from './run-migrations';
import { ProcessStarter } from './start-processes';
import type { WorldState } from './state';
import { claimStateDirectory, markPrepared, releaseStateDirectory, writeRunFile } from './state-directory';
import type { StatusSnapshot } from './status-poller';
import { composeWorldFile, type ProcessEntry, writeWorldFile } from './world-file';

export interface WorldOptions extends Omit<StartOptions, 'help'> {
  /** A license document that the world issues and imports. @default the sample license */
  readonly licenseFile?: string;
  readonly onProgress?: (text: string) => void;
}

/** A killed process has released its ports by then. */
const FREED_WITHIN_MS = 5_000;
const EVENTS_SHOWN = 200;

/** The local cluster: starts every process of two regions, reports their state and ends them. It repairs nothing. */
export class World implements WorldControl {
  readonly layout: Layout;
  readonly home: string;
  readonly events = new EventLog();
  readonly #options: WorldOptions;
  readonly #startedAtMs = performance.now();
  #components: WorldComponents | undefined;
  #sqlStores: SqlStores | undefined;
  #watch: ControlRecordPoller | undefined;
  #control: FastifyInstance | undefined;
  #demoLoad: DemoLoad | undefined;
  #isUp = false;
  #isClaimed = false;
  #isRecovered = false;
  #isEnding = false;

  constructor(options: WorldOptions) {
    this.#options = options;
    this.home = options.home;
    this.layout = new Layout(options.basePort);
  }

  /** Resolves when the edge grants. @throws PortsTakenError, WorldRunningError, or what went wrong in words. */
  async start(): Promise<void> {
    const { recovering } = await this.#claim();
    const components = await this.#assemble();
    await components.links.listen();
    const starter = this.#starter(components);
    this.#progress(recovering ? 'recovering the databases of the last run' : 'creating the databases of three places');
    await starter.orAlarm(components.databases.startAll());
    components.freezePropagation.start();
    this.#stopIfEnding();
    this.#progress('preparing the license database and the authority store');
    await components.databases.prepareAuthorityStore(components.secrets.authorityPasswords);
    this.#openStores(components);
    await this.#prepareLicenses(components);
    this.#stopIfEnding();
    markPrepared(this.home);
    this.#control = await serveControl(this, this.layout.controlPort, components.secrets.tokens.admin);
    this.#progress('starting servers, routers and the controller');
    await starter.start();
    this.#isUp = true;
    this.#publish();
    this.#startDemoLoad(components);
  }

  /** Ends every process. With `keep` the databases stay for the next start. */
  async stop({ keep = this.#options.keep }: { keep?: boolean } = {}): Promise<void> {
    this.#isEnding = true;
    if (!this.#isClaimed) return;
    this.#watch?.stop();
    this.#components?.statusPoller.stop();
    this.#components?.freezePropagation.stop();
    await this.#demoLoad?.stop();
    await this.#control?.close();
    await this.#components?.nodes.stopAll();
    await this.#sqlStores?.close();
    await this.#components?.databases.stopAll();
    await this.#components?.links.close();
    // After a failed recovery everything is kept, so that the cause can be fixed and the start repeated.
    const keepAll = keep || (this.#isRecovered && !this.#isUp);
    if (!keepAll) await Databases.remove(this.home);
    releaseStateDirectory(this.home, keepAll);
  }

  get tokens(): { admin: string; client: string } {
    return this.#require().secrets.tokens;
  }

  /** The signed files, and the keys that Control Rooms register with. */
  get licenses(): readonly WorldLicense[] {
    return this.#require().licensing.licenses;
  }

  state(): WorldState {
    const snapshot = this.#components?.statusPoller.snapshot;
    const age = snapshot?.poolsAtMs;
    return {
      profile: this.#options.profile,
      upMs: performance.now() - this.#startedAtMs,
      edge: this.layout.url('edge'),
      edgeTarget: snapshot?.edgeTarget,
      acl: snapshot?.acl ?? { oregon: undefined, virginia: undefined },
      processes: this.#components?.processes.entries() ?? [],
      servers: snapshot?.servers ?? [],
      databases: this.#components?.databases.views() ?? [],
      authority: this.#watch?.authority,
      controller: this.#watch?.controller,
      pools: snapshot?.pools ?? [],
      poolsAgeMs: age === undefined ? undefined : performance.now() - age,
      rooms: this.#demoLoad?.views() ?? [],
      cutLinks: this.#components?.links.cut() ?? [],
      events: this.events.recent(EVENTS_SHOWN),
    };
  }

  /** Polls the status now instead of at the next interval. */
  pollStatus(): Promise<StatusSnapshot> {
    return this.#require().statusPoller.poll();
  }

  process(name: string): ProcessEntry {
    return this.#require().processes.find(name);
  }

  processNames(): readonly string[] {
    return this.#require().processes.names();
  }

  /** Every alert that was sent, oldest first. */
  alerts(): Alert[] {
    const file = join(this.home, 'alerts.jsonl');
    if (!existsSync(file)) return [];
    const lines = readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => line !== '');
    return lines.map((line) => JSON.parse(line) as Alert);
  }

  /** The authority store and the control record, as the operator's command uses them. */
  stores(): Pick<SqlStores, 'authority' | 'control'> & { clock: Clock } {
    if (!this.#sqlStores) throw new Error('the world has not started');
    return { ...this.#sqlStores, clock: { nowMs: () => Date.now(), newId: () => crypto.randomUUID() } };
  }

  async act(name: string, action: ProcessAction): Promise<string> {
    const result = await this.#require().processes.act(name, action);
    this.#publish();
    return result;
  }

  /** A signal to the pid alone, as a script that reads world.json sends it. Nothing happens to what does not run. */
  signalFromOutside(name: string, signal: NodeJS.Signals): void {
    const { pid, state } = this.process(name);
    if (pid !== null && state !== 'exited') process.kill(pid, signal);
  }

  changeLink(link: LinkName, change: LinkChange): void {
    this.#require().links.change(link, change);
  }

  databases(region?: Region): unknown {
    return this.#require().databases.report(region);
  }

  /** How many live leases the active region has taken over from their tokens. */
  async adoptedLeases(): Promise<number> {
    return countAdopted(this.layout.url('edge'), this.tokens.admin);
  }

  keepDatabase(region: Region, label: string): unknown {
    return this.#require().databases.archive(region, label);
  }

  followDatabase(region: Region): unknown {
    return this.#require().databases.follow(region);
  }

  /** A second controller, as after a botched deployment. It is not started yet. */
  addController(name: string): void {
    const { nodes, environment } = this.#require();
    nodes.add(controller(environment, name));
  }

  /** Sets the failpoint for the next start of the controller. It halts indefinitely at that boundary. */
  replaceController(failpoint: string | undefined): void {
    const { nodes, environment } = this.#require();
    nodes.add(controller({ ...environment, controllerFailpoint: failpoint }));
  }

  #require(): WorldComponents {
    if (!this.#components) throw new Error('the world has not started');
    return this.#components;
  }

  async #claim(): Promise<{ recovering: boolean }> {
    const forget = this.#options.fresh ? () => Databases.remove(this.home) : undefined;
    const { recovering, ended } = await claimStateDirectory(this.home, forget);
    this.#isClaimed = true;
    this.#isRecovered = recovering;
    if (ended.length > 0) this.#progress(`ended processes of a crashed run: ${ended.join(', ')}`);
    rmSync(join(this.home, 'alerts.jsonl'), { force: true });
    await requireFreePorts(this.layout, { withinMs: recovering || ended.length > 0 ? FREED_WITHIN_MS : 0 });
    return { recovering };
  }

  async #assemble(): Promise<WorldComponents> {
    const { home, layout, events } = this;
    const { profile, licenseFile, trustFiles = [] } = this.#options;
    const draftFile = licenseFile ?? join(projectRoot(), 'packages/local-cluster/src/sample-license.json');
    const onChange = (): void => this.#publish();
    this.#components = await composeWorld({ home, layout, profile, events, draftFile, trustFiles, onChange });
    return this.#components;
  }

  /** The active region's license database; the other's is a copy of it, or stale since a failover. */
  async #prepareLicenses({ secretFiles, licensing, databases }: WorldComponents): Promise<void> {
    const { region } = await this.stores().authority.read();
    if (!databases.isWritable(region)) return;
    await runMigrations({
      distDir: join(projectRoot(), 'dist'),
      home: this.home,
      databasePort: region === 'oregon' ? this.layout.oregonDatabasePort : this.layout.port('virginia/db'),
      secretsFile: secretFiles.migration,
      tokensFile: secretFiles.tokens,
      trustFile: licensing.trustFile,
      licenseFiles: licensing.licenses.map(({ file }) => file),
    });
  }

  #openStores({ secrets }: WorldComponents): void {
    this.#sqlStores = openStores({
      host: LOOPBACK,
      port: this.layout.port('ohio/db'),
      database: 'evergrant',
      user: 'evergrant_controller',
      password: secrets.authorityPasswords.evergrant_controller,
      timeoutMs: 2_000,
      applicationName: 'evergrant_world',
    });
    this.#watch = new ControlRecordPoller(this.#sqlStores);
    this.#watch.start();
  }

  #starter(components: WorldComponents): ProcessStarter {
    const { home, events } = this;
    const stopIfEnding = (): void => this.#stopIfEnding();
    return new ProcessStarter(components, { home, events, isRecovered: this.#isRecovered, stopIfEnding });
  }

  #startDemoLoad({ licensing }: WorldComponents): void {
    const { rooms: count } = this.#options;
    const edge = this.layout.url('edge');
    const licenseKey = licensing.licenses[0]?.licenseKey ?? '';
    const folder = join(this.home, 'rooms');
    this.#demoLoad = new DemoLoad({ count, edge, licenseKey, folder, events: this.events });
    this.#demoLoad.start();
  }

  #stopIfEnding(): void {
    if (this.#isEnding) throw new Error('ended while starting');
  }

  #progress(text: string): void {
    this.#options.onProgress?.(text);
  }

  /** Writes world.json (once all runs) and what a start after a crash needs (from the first process on). */
  #publish(): void {
    if (!this.#components || this.#isEnding) return;
    const { processes, secrets, licensing } = this.#components;
    writeRunFile(this.home, processes.running());
    if (!this.#isUp) return;
    writeWorldFile(
      this.home,
      composeWorldFile({
        processes: processes.entries(),
        tokens: secrets.tokens,
        licenses: licensing.licenses,
        control: `http://${LOOPBACK}:${this.layout.controlPort}`,
        profile: this.#options.profile,
      }),
    );
  }
}
