import type { PromiseName } from './checkers/grant-checker';
import type { Without } from './mutations';
import { type RunResult, run } from './run';
import type { Scenario } from './scenario/scenario';

/** How many smaller scenarios are tried at most. */
const TRIES_MAX = 150;

/** Makes a scenario smaller for as long as it breaks the same promise. Resolves to its last run. */
export async function shrink(
  scenario: Scenario,
  { promise, without, triesMax = TRIES_MAX }: { promise: PromiseName; without: Without; triesMax?: number },
): Promise<RunResult> {
  // What is punished while the faults last needs no mending afterwards.
  let best = await run(scenario, { without, mending: promise === 'not-converged' });
  let tries = 0;
  for (let smaller = true; smaller; ) {
    smaller = false;
    for (const candidate of candidatesOf(best)) {
      if (tries++ >= triesMax) return best;
      const result = await run(candidate, { without, mending: promise === 'not-converged' });
      if (result.broken?.promise !== promise) continue;
      best = result;
      smaller = true;
      break;
    }
  }
  return best;
}

function* candidatesOf({ scenario, simulatedMs, broken }: RunResult): Generator<Scenario> {
  const { faults, rooms, chaosMs } = scenario;
  const endsAtMs = Math.ceil(simulatedMs) + 1_000;
  if (broken?.promise !== 'not-converged' && endsAtMs < chaosMs - 2_000) yield { ...scenario, chaosMs: endsAtMs };
  if (faults.length > 3) {
    yield { ...scenario, faults: faults.slice(faults.length / 2) };
    yield { ...scenario, faults: faults.slice(0, faults.length / 2) };
  }
  for (const fault of faults) yield { ...scenario, faults: faults.filter((other) => other !== fault) };
  // The names of rooms are their numbers: only the last can go.
  if (rooms.length > 1) yield { ...scenario, rooms: rooms.slice(0, -1) };
  if (scenario.controllers > 1) yield { ...scenario, controllers: 1 };
  if (scenario.serversPerRegion > 1) yield { ...scenario, serversPerRegion: 1 };
  if (scenario.timersLateMsMax > 0) yield { ...scenario, timersLateMsMax: 0 };
  if (Object.keys(scenario.aheadMs).length > 0) yield { ...scenario, aheadMs: {} };
}
