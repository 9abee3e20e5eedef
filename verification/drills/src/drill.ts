import { setTimeout as delay } from 'node:timers/promises';
import type { AuthorityView } from '@evergrant/controller/core/authority';
import type { ControlRecord } from '@evergrant/controller/core/control-record';
import type { RecordedEntry } from '@evergrant/controller/core/history';
import type { FailbackStage, OperationReport } from '@evergrant/controller/core/operations';
import type { Command } from '@evergrant/controller/core/requests';
import { arm, commandText, request } from '@evergrant/controller/operator-commands';
import type { Region } from '@evergrant/core/regions';
import type { ProcessAction } from '@evergrant/local-cluster/world/control-api';
import type { World } from '@evergrant/local-cluster/world/world';
import type { DrillRoom } from './control-rooms';
import { steadily, waitUntil } from './eventually';
import type { DrillLicense } from './license';
import type { CheckResult, Mark } from './report';
import type { Traffic } from './traffic';

const STAGE_LIMIT_MS = 90_000;

export interface DrillParts {
  readonly world: World;
  readonly traffic: Traffic;
  readonly license: DrillLicense;
  /** How often a scenario repeats itself, if it can. */
  readonly turns: number;
}

/** The tools of a scenario: a fresh local cluster, Control Rooms that use it, and the record of the drill. */
export class Drill {
  readonly world: World;
  readonly traffic: Traffic;
  readonly license: DrillLicense;
  readonly turns: number;
  readonly marks: Mark[] = [];
  readonly results: CheckResult[] = [];
  readonly figures: Record<string, number | string> = {};
  recoveredAtMs: number | undefined;
  readonly #print: (line: string) => void;

  constructor({ world, traffic, license, turns }: DrillParts, print: (line: string) => void) {
    this.world = world;
    this.traffic = traffic;
    this.license = license;
    this.turns = turns;
    this.#print = print;
  }

  mark(what: string, atMs: number = Date.now()): void {
    this.marks.push({ what, atMs });
    this.#print(what);
  }

  check(promise: string, held: boolean, detail = ''): void {
    this.results.push({ promise, held, detail });
    this.#print(`${held ? 'passed' : 'FAILED'}: ${promise}${detail ? ` (${detail})` : ''}`);
  }

  figure(name: string, value: number | string): void {
    this.figures[name] = value;
  }

  /** Records the first grant after the fault for the recovery time; later calls are ignored. */
  recoveredAt(atMs: number): void {
    this.recoveredAtMs ??= atMs;
  }

  /** Sends a signal to the pid in world.json, like an external script. */
  signal(signal: NodeJS.Signals, names: readonly string[]): void {
    for (const name of names) this.world.signalFromOutside(name, signal);
  }

  /** Does the same as `npx evergrant local ACTION NAME`. */
  async act(action: ProcessAction, names: readonly string[]): Promise<void> {
    await Promise.all(names.map((name) => this.world.act(name, action)));
  }

  /** Starts processes one after the other, in the given order. */
  async start(names: readonly string[]): Promise<void> {
    for (const name of names) await this.world.act(name, 'start');
  }

  /** Waits for a fixed time while the fault lasts. */
  async pass(ms: number): Promise<void> {
    await delay(ms);
  }

  /** Starts the controller again. With `haltAt`, such as `promote:before`, it halts at that boundary. */
  async restartController(haltAt: string | undefined): Promise<void> {
    this.world.replaceController(haltAt);
    await this.world.act('controller', 'start');
  }

  async addController(name: string): Promise<void> {
    this.world.addController(name);
    await this.world.act(name, 'start');
  }

  /** Does the same as `npx evergrant failback STAGE --yes`. Throws when the request is refused or not answered in time. */
  runFailbackStage(stage: FailbackStage): Promise<OperationReport> {
    return this.runCommand({ kind: 'failback', stage });
  }

  /** Does the same as the command with `--yes`. Throws when the request is refused or not answered in time. */
  async runCommand(command: Command): Promise<OperationReport> {
    const name = commandText(command);
    const operator = { by: 'drill', reason: 'drill' };
    const { effect, requestId } = await request(this.world.stores(), command, operator);
    if (effect.kind !== 'done') throw new Error(`${name}: ${effect.kind}: ${effect.reason}`);
    const answer = await waitUntil(`an answer to ${name}`, STAGE_LIMIT_MS, async () => {
      const { lastAnswer } = await this.control();
      return lastAnswer?.request.id === requestId ? lastAnswer : undefined;
    });
    if (answer.outcome !== 'accepted') throw new Error(`${name}: ${answer.outcome}: ${answer.reason}`);
    const report = await waitUntil(`${name} ends`, STAGE_LIMIT_MS, async () => {
      const { operation, lastOperation } = await this.control();
      return operation === undefined && lastOperation?.id === answer.operationId ? lastOperation : undefined;
    });
    this.check(`${name} succeeds`, report.outcome === 'done', report.summary);
    return report;
  }

  /** Does the same as `npx evergrant arm`. */
  async arm(): Promise<void> {
    const armed = await arm(this.world.stores(), { by: 'drill', reason: 'drill' });
    this.check('the automation can be armed', armed.kind !== 'refused' && armed.kind !== 'busy', armed.kind);
  }

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

  /** A database's state as the supervisor describes it, for example `standby, in sync`. */
  databaseRole(name: string): string {
    return this.world.state().databases.find((database) => database.name === name)?.role ?? 'unknown';
  }

  async acl(region: Region): Promise<string> {
    return (await this.world.pollStatus()).acl[region] ?? 'no answer';
  }

  /** Number of leases that the active region has adopted from tokens, by its database. */
  adoptedLeases(): Promise<number> {
    return this.world.adoptedLeases();
  }

  isRunning(name: string): boolean {
    return this.world.process(name).state === 'running';
  }

  /** Whether the controller has announced that it halted at a boundary. */
  controllerHaltedAt(boundary: string): boolean {
    return this.world.events.recent(50).some(({ source, text }) => source === 'controller' && text.includes(boundary));
  }

  eventually<T>(
    what: string,
    limitMs: number,
    check: () => T | undefined | false | Promise<T | undefined | false>,
  ): Promise<T> {
    return waitUntil(what, limitMs, check);
  }

  steadily(forMs: number, check: () => string | undefined | Promise<string | undefined>): Promise<string | undefined> {
    return steadily(forMs, check);
  }
}

/** The addresses that Control Rooms use. */
export type Addresses = 'edge' | 'servers of Oregon' | 'half at the edge, half beside the servers of Oregon';

/** A disaster: the faults, and the checks of its outcome. */
export interface DrillScenario {
  readonly name: string;
  /** One sentence: the disaster and the expected outcome. */
  readonly summary: string;
  /** @default a cloud license with a contended pool and a large one */
  readonly license?: DrillLicense;
  /** Control Rooms that register with the license key. @default all use the cluster's client token */
  readonly controlRooms?: readonly DrillRoom[];
  /** The addresses that Control Rooms use. @default edge */
  readonly reach?: Addresses;
  run(drill: Drill): Promise<void>;
}
