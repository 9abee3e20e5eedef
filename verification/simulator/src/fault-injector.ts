import { FAULTS } from './scenario/faults';
import type { Fault, FaultKind } from './scenario/scenario';
import type { SimulatedWorld } from './world';

/** Range of the random delay between a phase and a fault that it triggers. */
const AFTER_PHASE_MS = { typical: 800, max: 10_000 };

/** Begins and ends the faults of a scenario, at their times or in their phases. */
export class FaultInjector {
  readonly coverage: Record<string, number> = {};
  readonly counts: Partial<Record<FaultKind, number>> = {};
  readonly #world: SimulatedWorld;
  readonly #active = new Map<Fault, () => void>();
  readonly #awaitingPhase = new Set<Fault>();
  #ended = false;

  constructor(world: SimulatedWorld) {
    this.#world = world;
    for (const fault of world.scenario.faults) this.#schedule(fault);
    world.onPhase = (phase) => this.#entered(phase);
  }

  /** Ends all faults and starts no more. */
  endAll(): void {
    this.#ended = true;
    for (const fault of [...this.#active.keys()]) this.#end(fault);
    for (const host of this.#world.hosts) host.resume();
    this.#world.record('world', 'all faults have ended');
    this.#world.changed();
  }

  #schedule(fault: Fault): void {
    if (fault.when.phase !== undefined) this.#awaitingPhase.add(fault);
    this.#world.virtualClock.after(fault.when.atMs, () => this.#begin(fault));
  }

  #entered(phase: string): void {
    const { virtualClock, random } = this.#world;
    const delayMs = (): number => random.duration(AFTER_PHASE_MS.typical, AFTER_PHASE_MS.max);
    for (const fault of this.#awaitingPhase) {
      if (fault.when.phase !== phase || (fault.when.fromMs ?? 0) > virtualClock.nowMs) continue;
      virtualClock.after(fault.when.afterMs ?? delayMs(), () => this.#begin(fault));
    }
    for (const fault of this.#active.keys()) {
      if (fault.untilPhase === phase) virtualClock.after(delayMs(), () => this.#end(fault));
    }
  }

  #begin(fault: Fault): void {
    const awaitsPhase = fault.when.phase !== undefined;
    if (this.#ended || this.#active.has(fault) || (awaitsPhase && !this.#awaitingPhase.delete(fault))) return;
    const { kind, where, forMs, amount } = fault;
    this.counts[kind] = (this.counts[kind] ?? 0) + 1;
    const cell = `${this.#world.phase || 'watching'} × ${kind}`;
    this.coverage[cell] = (this.coverage[cell] ?? 0) + 1;
    this.#world.record('world', `${kind} ${where}${amount ? ` (${Math.round(amount * 100) / 100})` : ''}`);
    this.#active.set(fault, FAULTS[kind](this.#world, fault));
    if (kind !== 'operator') this.#world.calmSinceMs = Number.POSITIVE_INFINITY;
    this.#world.changed();
    this.#world.virtualClock.after(forMs, () => this.#end(fault));
  }

  #end(fault: Fault): void {
    const undo = this.#active.get(fault);
    if (!undo) return;
    this.#active.delete(fault);
    undo();
    if (![...this.#active.keys()].some(({ kind }) => kind !== 'operator')) {
      this.#world.calmSinceMs = Math.min(this.#world.calmSinceMs, this.#world.virtualClock.nowMs);
    }
    this.#world.record('world', `${fault.kind} ${fault.where} has ended`);
    this.#world.changed();
  }
}
