import type { InvariantName } from './checkers/violations';
import type { DisabledRules } from './mutations';
import { type RunResult, run } from './run';
import type { Scenario } from './scenario/scenario';

/** Largest number of smaller scenarios that are tried. */
const TRIES_MAX = 150;

/** Makes a scenario smaller while it violates the same invariant. Resolves to the run of the smallest one. */
export async function shrink(
  scenario: Scenario,
  {
    invariant,
    disabled,
    triesMax = TRIES_MAX,
  }: { invariant: InvariantName; disabled: DisabledRules; triesMax?: number },
): Promise<RunResult> {
  // A safety violation happens during the faults; liveness need not be checked.
  let best = await run(scenario, { disabled, checksLiveness: invariant === 'not-converged' });
  let tries = 0;
  for (let smaller = true; smaller; ) {
    smaller = false;
    for (const candidate of candidatesOf(best)) {
      if (tries++ >= triesMax) return best;
      const result = await run(candidate, { disabled, checksLiveness: invariant === 'not-converged' });
      if (result.violation?.invariant !== invariant) continue;
      best = result;
      smaller = true;
      break;
    }
  }
  return best;
}

function* candidatesOf({ scenario, simulatedMs, violation }: RunResult): Generator<Scenario> {
  const { faults, rooms, chaosMs } = scenario;
  const endsAtMs = Math.ceil(simulatedMs) + 1_000;
  if (violation?.invariant !== 'not-converged' && endsAtMs < chaosMs - 2_000) yield { ...scenario, chaosMs: endsAtMs };
  if (faults.length > 3) {
    yield { ...scenario, faults: faults.slice(faults.length / 2) };
    yield { ...scenario, faults: faults.slice(0, faults.length / 2) };
  }
  for (const fault of faults) yield { ...scenario, faults: faults.filter((other) => other !== fault) };
  // Rooms are named by their index, so only the last can be removed.
  if (rooms.length > 1) yield { ...scenario, rooms: rooms.slice(0, -1) };
  if (scenario.controllers > 1) yield { ...scenario, controllers: 1 };
  if (scenario.serversPerRegion > 1) yield { ...scenario, serversPerRegion: 1 };
  if (scenario.timersLateMsMax > 0) yield { ...scenario, timersLateMsMax: 0 };
  if (Object.keys(scenario.aheadMs).length > 0) yield { ...scenario, aheadMs: {} };
}
