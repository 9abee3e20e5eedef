import { setTimeout as delay } from 'node:timers/promises';
import type { AuthorityView } from '@evergrant/controller/core/authority';
import type { ControlRecord } from '@evergrant/controller/core/control-record';
import type { RecordedEntry } from '@evergrant/controller/core/history';
import type { FailbackStage, OperationReport } from '@evergrant/controller/core/operations';
import { request } from '@evergrant/controller/operator-commands';
import type { Region } from '@evergrant/core/regions';
import type { ProcessAction } from '@evergrant/local-cluster/world/control-api';
import type { World } from '@evergrant/local-cluster/world/world';
import type { DrillRoom } from './control-rooms';
import { eventually, steadily } from './eventually';
import type { DrillLicense } from './license';
import type { Kept, Mark } from './report';
import type { Load } from './traffic';

const STAGE_LIMIT_MS = 90_000;

export interface DrillParts {
  readonly world: World;
  readonly load: Load;
  readonly license: DrillLicense;
}

/** What a scenario works with: a fresh world, Control Rooms at work in it, and a book to write down what it saw. */
export class Drill {
  readonly world: World;
  readonly load: Load;
  readonly license: DrillLicense;
  readonly marks: Mark[] = [];
  readonly kept: Kept[] = [];
  readonly figures: Record<string, number | string> = {};
  recoveredAtMs: number | undefined;
  private readonly tell: (line: string) => void;

  constructor({ world, load, license }: DrillParts, tell: (line: string) => void) {
    this.world = world;
    this.load = load;
    this.license = license;
    this.tell = tell;
  }

  // What a scenario writes down.

  mark(what: string, atMs: number = Date.now()): void {
    this.marks.push({ what, atMs });
    this.tell(what);
  }

  promise(promise: string, held: boolean, detail = ''): void {
    this.kept.push({ promise, held, detail });
    this.tell(`${held ? 'held' : 'BROKEN'}: ${promise}${detail ? ` (${detail})` : ''}`);
  }

  figure(name: string, value: number | string): void {
    this.figures[name] = value;
  }

  /** The first grant after the fault, for the recovery time; the first call counts. */
  recoveredAt(atMs: number): void {
    this.recoveredAtMs ??= atMs;
  }

  // What a scenario does.

  /** A real signal to the pid of world.json, exactly as an outsider's script would send it. */
  signal(signal: NodeJS.Signals, names: readonly string[]): void {
    for (const name of names) this.world.signalFromOutside(name, signal);
  }

  /** What `npx evergrant local ACTION NAME` does. */
  async act(action: ProcessAction, names: readonly string[]): Promise<void> {
    await Promise.all(names.map((name) => this.world.act(name, action)));
  }

  /** One after the other: databases in the order that is given. */
  async start(names: readonly string[]): Promise<void> {
    for (const name of names) await this.world.act(name, 'start');
  }

  /** Lets time go by while the fault lasts; nothing is waited for. */
  async pass(ms: number): Promise<void> {
    await delay(ms);
  }

  /** Starts the controller again, to stop for ever at a boundary such as `promote:before`, or for good. */
  async restartController(haltAt: string | undefined): Promise<void> {
    this.world.replaceController(haltAt);
    await this.world.act('controller', 'start');
  }

  async addController(name: string): Promise<void> {
    this.world.addController(name);
    await this.world.act(name, 'start');
  }

  /** What `npx evergrant failback STAGE --yes` does. @throws Error when it is refused or does not end well. */
  async runFailbackStage(stage: FailbackStage): Promise<OperationReport> {
    const stores = this.world.stores();
    const operator = { by: 'drill', reason: 'drill' };
    const { effect, requestId } = await request(stores, { kind: 'failback', stage }, operator);
    if (effect.kind !== 'done') throw new Error(`failback ${stage}: ${effect.kind}: ${effect.reason}`);
    const answer = await eventually(`an answer to failback ${stage}`, STAGE_LIMIT_MS, async () => {
      const { lastAnswer } = await this.control();
      return lastAnswer?.request.id === requestId ? lastAnswer : undefined;
    });
    if (answer.outcome !== 'accepted') throw new Error(`failback ${stage}: ${answer.outcome}: ${answer.reason}`);
    const report = await eventually(`failback ${stage} ends`, STAGE_LIMIT_MS, async () => {
      const { operation, lastOperation } = await this.control();
      return operation === null && lastOperation?.id === answer.operationId ? lastOperation : undefined;
    });
    this.promise(`failback ${stage} ends well`, report.outcome === 'done', report.summary);
    return report;
  }

  // What a scenario looks at.

  async control(): Promise<ControlRecord> {
    return (await this.world.stores().control.read()).record;
  }

  authority(): Promise<AuthorityView> {
    return this.world.stores().authority.read();
  }

  history(): Promise<readonly RecordedEntry[]> {
    return this.world.stores().control.history(1_000);
  }

  /** Texts of the alerts raised since then. */
  alerts(sinceMs: number): string[] {
    return this.world
      .alerts()
      .filter(({ raisedAtMs }) => raisedAtMs >= sinceMs)
      .map(({ code, text }) => `${code}: ${text}`);
  }

  serverGrants(name: string): boolean {
    return this.world.state().servers.some((server) => server.name === name && server.granting);
  }

  serverAnswers(name: string): boolean {
    return this.world.state().servers.some((server) => server.name === name && server.answering);
  }

  /** The supervisor's words for what a database is now, for example `standby, in sync`. */
  databaseRole(name: string): string {
    return this.world.state().databases.find((database) => database.name === name)?.role ?? 'unknown';
  }

  async acl(region: Region): Promise<string> {
    return (await this.world.pollStatus()).acl[region] ?? 'no answer';
  }

  /** How many leases the active region has taken over from their tokens, as its database says. */
  adoptedLeases(): Promise<number> {
    return this.world.adoptedLeases();
  }

  isRunning(name: string): boolean {
    return this.world.process(name).state === 'running';
  }

  /** Whether the controller has announced that it stands still at a boundary. */
  controllerHaltedAt(boundary: string): boolean {
    return this.world.events.recent(50).some(({ source, text }) => source === 'controller' && text.includes(boundary));
  }

  eventually<T>(
    what: string,
    limitMs: number,
    check: () => T | undefined | false | Promise<T | undefined | false>,
  ): Promise<T> {
    return eventually(what, limitMs, check);
  }

  steadily(forMs: number, check: () => string | undefined | Promise<string | undefined>): Promise<string | undefined> {
    return steadily(forMs, check);
  }
}

/** Where Control Rooms ask. */
export type Reach = 'edge' | 'servers of Oregon' | 'half at the edge, half beside the servers of Oregon';

/** A disaster: what is done to the world, and what must be true of it. */
export interface Scenario {
  readonly name: string;
  /** One sentence: the disaster and the expected outcome. */
  readonly summary: string;
  /** @default a cloud license with a pool that is fought over and one with room for everybody */
  readonly license?: DrillLicense;
  /** Control Rooms that register with the license key, and share the work. @default all use the world's client token */
  readonly controlRooms?: readonly DrillRoom[];
  /** Where Control Rooms ask. @default at the edge */
  readonly reach?: Reach;
  run(drill: Drill): Promise<void>;
}
