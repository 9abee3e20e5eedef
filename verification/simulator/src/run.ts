import { DEFAULT_POLICY } from '@evergrant/controller/core/policy';
import type { PromiseName } from './checkers/grant-checker';
import { unsettled } from './checkers/liveness-checker';
import { NOTHING_LEFT_OUT, type Without } from './mutations';
import { FAULTS } from './scenario/faults';
import type { Fault, FaultKind, Scenario } from './scenario/scenario';
import { type TraceLine, World } from './world';

export interface RunResult {
  readonly scenario: Scenario;
  readonly broken: { readonly promise: PromiseName; readonly detail: string } | undefined;
  readonly simulatedMs: number;
  /** How much of it was quiet, and leapt over. */
  readonly leaptMs: number;
  readonly steps: number;
  readonly grants: number;
  /** The newest epoch in the end. */
  readonly epoch: number;
  /** How often each fault began while an operation was in each phase (`watching`: in none). */
  readonly coverage: Readonly<Record<string, number>>;
  readonly faults: Readonly<Partial<Record<FaultKind, number>>>;
  readonly trace: readonly TraceLine[];
}

export interface RunOptions {
  readonly without?: Without;
  readonly tracing?: boolean;
  /** False: ends with the faults, without asking whether everybody is served afterwards. */
  readonly mending?: boolean;
}

/** What the failover itself may take, beside the time that leases and unknown grants need to lapse. */
const FAILOVER_MS = 300_000;
/** Seen so often in a row, with nothing amiss, everybody is served. */
const SETTLED_LOOKS = 5;
const SETTLED_LOOK_EVERY_MS = 10_000;

/** Runs a scenario: faults, then everything is mended, then everybody must be served within a bound. */
export async function run(
  scenario: Scenario,
  { without = NOTHING_LEFT_OUT, tracing = false, mending = true }: RunOptions = {},
): Promise<RunResult> {
  const world = new World(scenario, { without, tracing });
  const injector = new Injector(world);
  const { clockwork, ledger } = world;
  const goesOn = (): boolean => ledger.broken === undefined;
  await clockwork.run(scenario.chaosMs, goesOn);
  if (mending && goesOn()) {
    injector.mendAll();
    world.lull.end();
    const { authorityLeaseMs, skewMs } = DEFAULT_POLICY;
    const boundMs = clockwork.nowMs + scenario.leaseTtlMs + authorityLeaseMs + skewMs + FAILOVER_MS;
    const reason = await converge(world, boundMs, goesOn);
    if (reason !== undefined) ledger.breaks('not-converged', reason);
  }
  return {
    scenario,
    broken: ledger.broken && { promise: ledger.broken.promise, detail: ledger.broken.message },
    simulatedMs: clockwork.nowMs,
    leaptMs: clockwork.leaptMs,
    steps: clockwork.steps,
    grants: ledger.grants,
    epoch: world.ohio.row.epoch,
    coverage: injector.coverage,
    faults: injector.counts,
    trace: world.trace,
  };
}

/** Until everybody has been served for a while, or the bound is over. Resolves to what is not as it should be then. */
async function converge(world: World, boundMs: number, goesOn: () => boolean): Promise<string | undefined> {
  const { clockwork } = world;
  let reason = unsettled(world);
  for (let settledLooks = 0; settledLooks < SETTLED_LOOKS && clockwork.nowMs < boundMs; ) {
    await clockwork.run(Math.min(boundMs, clockwork.nowMs + SETTLED_LOOK_EVERY_MS), goesOn);
    if (!goesOn()) return undefined;
    reason = unsettled(world);
    settledLooks = reason === undefined ? settledLooks + 1 : 0;
  }
  return reason;
}

/** Begins faults when their time has come, and ends them. */
class Injector {
  readonly coverage: Record<string, number> = {};
  readonly counts: Partial<Record<FaultKind, number>> = {};
  readonly #world: World;
  readonly #active = new Map<Fault, () => void>();
  readonly #waiting = new Set<Fault>();
  #over = false;

  constructor(world: World) {
    this.#world = world;
    for (const fault of world.scenario.faults) this.#schedule(fault);
    world.onPhase = (phase) => this.#entered(phase);
  }

  mendAll(): void {
    this.#over = true;
    for (const fault of [...this.#active.keys()]) this.#end(fault);
    for (const host of this.#world.hosts) host.resume();
    this.#world.tell('world', 'everything is mended');
    this.#world.changed();
  }

  #schedule(fault: Fault): void {
    const { clockwork } = this.#world;
    if (fault.when.phase !== undefined) this.#waiting.add(fault);
    clockwork.after(fault.when.atMs, () => this.#begin(fault));
  }

  #entered(phase: string): void {
    const { clockwork, random } = this.#world;
    for (const fault of this.#waiting) {
      if (fault.when.phase !== phase || (fault.when.fromMs ?? 0) > clockwork.nowMs) continue;
      clockwork.after(fault.when.afterMs ?? random.duration(800, 10_000), () => this.#begin(fault));
    }
    for (const fault of this.#active.keys()) {
      if (fault.untilPhase === phase) clockwork.after(random.duration(800, 10_000), () => this.#end(fault));
    }
  }

  #begin(fault: Fault): void {
    const waits = fault.when.phase !== undefined;
    if (this.#over || this.#active.has(fault) || (waits && !this.#waiting.delete(fault))) return;
    const { kind, where, forMs } = fault;
    this.counts[kind] = (this.counts[kind] ?? 0) + 1;
    const cell = `${this.#world.phase || 'watching'} × ${kind}`;
    this.coverage[cell] = (this.coverage[cell] ?? 0) + 1;
    this.#world.tell('world', `${kind} ${where}${fault.amount ? ` (${Math.round(fault.amount * 100) / 100})` : ''}`);
    this.#active.set(fault, FAULTS[kind](this.#world, fault));
    if (kind !== 'operator') this.#world.calmSinceMs = Number.POSITIVE_INFINITY;
    this.#world.changed();
    this.#world.clockwork.after(forMs, () => this.#end(fault));
  }

  #end(fault: Fault): void {
    const undo = this.#active.get(fault);
    if (!undo) return;
    this.#active.delete(fault);
    undo();
    if (![...this.#active.keys()].some(({ kind }) => kind !== 'operator')) {
      this.#world.calmSinceMs = Math.min(this.#world.calmSinceMs, this.#world.clockwork.nowMs);
    }
    this.#world.tell('world', `${fault.kind} ${fault.where} is over`);
    this.#world.changed();
  }
}
