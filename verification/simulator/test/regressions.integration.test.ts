import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PHASES_OF } from '@evergrant/controller/core/operations';
import type { InvariantName } from '../src/checkers/violations';
import { LIVENESS_ONLY, type Rule } from '../src/mutations';
import { run } from '../src/run';
import type { Scenario } from '../src/scenario/scenario';

/** Written by `npm run simulate -- --rules --store verification/simulator/test/regressions`. */
const REGRESSIONS = join(__dirname, 'regressions');
const FIXED_BUGS = join(__dirname, 'fixed-bugs');

interface Regression {
  readonly rule: Rule;
  readonly invariant: InvariantName;
  readonly scenario: Scenario;
}

function read<T>(folder: string, file: string): T {
  return JSON.parse(readFileSync(join(folder, file), 'utf8')) as T;
}

const regressions = readdirSync(REGRESSIONS).map((file): [string, Regression] => {
  const regression = read<Regression>(REGRESSIONS, file);
  return [regression.rule, regression];
});

/** Long enough for a busy machine. */
jest.setTimeout(120_000);

// Violations are expected, and a stack trace costs more than the rest of a run.
beforeAll(() => {
  Error.stackTraceLimit = 0;
});
afterAll(() => {
  Error.stackTraceLimit = 10;
});

/** A change of the product shifts event times; a violation that needs an exact time recurs within a few seeds. */
const VARIANTS = 12;
const FIXED_BUG_VARIANTS = 4;

function variantsOf(scenario: Scenario, count: number): readonly Scenario[] {
  return Array.from({ length: count }, (_, number) => ({ ...scenario, seed: scenario.seed + number }));
}

describe.each(regressions)('rule %s', (_name, { rule, invariant, scenario }) => {
  it(`prevents a violation of ${invariant}, which occurs in the same scenario without it`, async () => {
    const checksLiveness = LIVENESS_ONLY.has(rule);
    for (const variant of variantsOf(scenario, VARIANTS)) {
      const { violation } = await run(variant, { disabled: new Set([rule]), checksLiveness });
      if (violation?.invariant !== invariant) continue;
      expect((await run(variant, { checksLiveness })).violation).toBeUndefined();
      return;
    }
    throw new Error(
      `no violation of ${invariant} without ${rule}: search again with npm run simulate -- --rules --store`,
    );
  });
});

/** Scenarios that violated an invariant before a fix of the product; docs/safety.md describes each. */
it.each(readdirSync(FIXED_BUGS))('fixed bug %s: violates no invariant', async (file) => {
  const { scenario } = read<{ readonly scenario: Scenario }>(FIXED_BUGS, file);
  for (const variant of variantsOf(scenario, FIXED_BUG_VARIANTS))
    expect((await run(variant)).violation).toBeUndefined();
});

it('stored scenarios: name phases that the controller has', () => {
  const known = new Set<string>(Object.values(PHASES_OF).flat());
  const files = [REGRESSIONS, FIXED_BUGS].flatMap((folder) =>
    readdirSync(folder).map((file) => [folder, file] as const),
  );
  const phases = files.flatMap(([folder, file]) => {
    const { scenario } = read<{ readonly scenario: Scenario }>(folder, file);
    return scenario.faults.flatMap(({ when, untilPhase }) => [when.phase ?? [], untilPhase ?? []].flat());
  });
  expect(phases.filter((phase) => !known.has(phase))).toEqual([]);
});
