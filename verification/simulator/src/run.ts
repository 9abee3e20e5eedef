import { DEFAULT_POLICY } from '@evergrant/controller/core/policy';
import { livenessProblem } from './checkers/liveness-checker';
import type { InvariantName } from './checkers/violations';
import type { TraceEntry } from './context';
import { FaultInjector } from './fault-injector';
import { type DisabledRules, NONE } from './mutations';
import type { FaultKind, Scenario } from './scenario/scenario';
import { SimulatedWorld } from './world';

export interface RunResult {
  readonly scenario: Scenario;
  readonly violation: { readonly invariant: InvariantName; readonly detail: string } | undefined;
  readonly simulatedMs: number;
  /** Idle part of `simulatedMs` that was skipped. */
  readonly skippedMs: number;
  readonly steps: number;
  readonly grants: number;
  /** The newest epoch at the end. */
  readonly epoch: number;
  /** How often each fault began in each phase of an operation (`watching`: no operation). */
  readonly coverage: Readonly<Record<string, number>>;
  readonly faults: Readonly<Partial<Record<FaultKind, number>>>;
  readonly trace: readonly TraceEntry[];
}

export interface RunOptions {
  readonly disabled?: DisabledRules;
  readonly tracing?: boolean;
  /** Whether all faults end afterwards and every installation must then be served. @default true */
  readonly checksLiveness?: boolean;
}

/** Time that a failover may take, beside the expiry of leases and of unknown grants. */
const FAILOVER_MS = 300_000;
/** Consecutive checks without a problem after which the system counts as converged. */
const CONVERGED_CHECKS = 5;
const CONVERGED_CHECK_EVERY_MS = 10_000;

/** Runs a scenario: faults first; then all faults end and the system must converge within a bound. */
export async function run(
  scenario: Scenario,
  { disabled = NONE, tracing = false, checksLiveness = true }: RunOptions = {},
): Promise<RunResult> {
  const world = new SimulatedWorld(scenario, { disabled, tracing });
  const injector = new FaultInjector(world);
  const { virtualClock, violations } = world;
  const continues = (): boolean => violations.first === undefined;
  await virtualClock.run(scenario.chaosMs, continues);
  if (checksLiveness && continues()) {
    injector.endAll();
    world.fastForward.disable();
    const { authorityLeaseMs, skewMs } = DEFAULT_POLICY;
    const boundMs = virtualClock.nowMs + longestTtlMs(scenario) + authorityLeaseMs + skewMs + FAILOVER_MS;
    const problem = await converge(world, { boundMs, continues });
    if (problem !== undefined) violations.record('not-converged', problem);
  }
  const { first } = violations;
  return {
    scenario,
    violation: first && { invariant: first.invariant, detail: first.message },
    simulatedMs: virtualClock.nowMs,
    skippedMs: virtualClock.skippedMs,
    steps: virtualClock.steps,
    grants: world.grantChecker.grants,
    epoch: world.authorityStore.row.epoch,
    coverage: injector.coverage,
    faults: injector.counts,
    trace: world.trace,
  };
}

function longestTtlMs({ leaseTtlMs, faults }: Scenario): number {
  return Math.max(leaseTtlMs, ...faults.map(({ where, amount }) => (where === 'leaseTtlMs' ? amount : 0)));
}

interface ConvergenceOptions {
  readonly boundMs: number;
  readonly continues: () => boolean;
}

/** Runs until the system has converged or the bound is reached. Resolves to the remaining problem, if any. */
async function converge(
  world: SimulatedWorld,
  { boundMs, continues }: ConvergenceOptions,
): Promise<string | undefined> {
  const { virtualClock } = world;
  let problem = livenessProblem(world);
  for (let checks = 0; checks < CONVERGED_CHECKS && virtualClock.nowMs < boundMs; ) {
    await virtualClock.run(Math.min(boundMs, virtualClock.nowMs + CONVERGED_CHECK_EVERY_MS), continues);
    if (!continues()) return undefined;
    problem = livenessProblem(world);
    checks = problem === undefined ? checks + 1 : 0;
  }
  return problem;
}
