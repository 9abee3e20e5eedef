import { keyOf } from './key';
import type { Rules } from './rules';
import { type Bounds, type State, startOf } from './state';
import { stepsFrom, violationIn } from './steps';

export type Exploration =
  | { readonly kind: 'complete'; readonly states: number; readonly steps: number }
  /** `trace` is the shortest way to the violation. */
  | { readonly kind: 'violated'; readonly what: string; readonly trace: readonly string[]; readonly states: number };

interface Reached {
  readonly state: State;
  readonly from: Reached | undefined;
  readonly by: string;
}

/** Visits every reachable state in breadth-first order until one violates an invariant. */
export function explore(rules: Rules, bounds: Bounds): Exploration {
  const start = startOf(bounds);
  const seen = new Set<string>([keyOf(start)]);
  let frontier: Reached[] = [{ state: start, from: undefined, by: '' }];
  let steps = 0;
  while (frontier.length > 0) {
    const next: Reached[] = [];
    for (const reached of frontier) {
      for (const step of stepsFrom(reached.state, rules, bounds)) {
        steps += 1;
        const there = { state: step.next, from: reached, by: step.what };
        const what = step.violation ?? violationIn(step.next, bounds);
        if (what) return { kind: 'violated', what, trace: traceTo(there), states: seen.size };
        const key = keyOf(step.next);
        if (seen.has(key)) continue;
        seen.add(key);
        next.push(there);
      }
    }
    frontier = next;
  }
  return { kind: 'complete', states: seen.size, steps };
}

function traceTo(reached: Reached): string[] {
  const trace: string[] = [];
  for (let at: Reached | undefined = reached; at?.from; at = at.from) trace.unshift(`${at.from.state.now}: ${at.by}`);
  return trace;
}
