import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { PromiseName } from '../src/checkers/grant-checker';
import { PUNISHED_IN_THE_END, type Rule } from '../src/mutations';
import { run } from '../src/run';
import type { Scenario } from '../src/scenario/scenario';

/** Found by `npm run simulate -- --rules --keep verification/simulator/test/regressions`. */
const FOLDER = join(__dirname, 'regressions');
const MENDED = join(__dirname, 'fixed-bugs');

interface Kept {
  readonly rule: Rule;
  readonly promise: PromiseName;
  readonly scenario: Scenario;
}

const KEPT = readdirSync(FOLDER).map((file): [string, Kept] => {
  const kept = JSON.parse(readFileSync(join(FOLDER, file), 'utf8')) as Kept;
  return [kept.rule, kept];
});

/** A machine that does much else at once takes its time. */
jest.setTimeout(120_000);

/** A failure that is expected needs no stack, and making one costs more than all the rest. */
beforeAll(() => {
  Error.stackTraceLimit = 0;
});
afterAll(() => {
  Error.stackTraceLimit = 10;
});

/** Every change of the product moves some moments; what hangs by one is found again in the next random numbers or so. */
const VARIANTS = 12;
/** Of what is mended, where each runs to its end. */
const VARIANTS_MENDED = 4;

function variantsOf(scenario: Scenario, count: number): readonly Scenario[] {
  return Array.from({ length: count }, (_, number) => ({ ...scenario, seed: scenario.seed + number }));
}

describe.each(KEPT)('%s', (_name, { rule, promise, scenario }) => {
  it(`left out, breaks ${promise}; kept, breaks nothing in the same scenario`, async () => {
    const mending = PUNISHED_IN_THE_END.has(rule);
    for (const variant of variantsOf(scenario, VARIANTS)) {
      const { broken } = await run(variant, { without: new Set([rule]), mending });
      if (broken?.promise !== promise) continue;
      expect((await run(variant, { mending })).broken).toBeUndefined();
      return;
    }
    throw new Error(`without ${rule} nothing broke ${promise}: search again with npm run simulate -- --rules --keep`);
  });
});

/** What broke a promise once with every rule in place, and is mended: docs/safety.md tells of each. */
it.each(readdirSync(MENDED))('mended: %s', async (file) => {
  const { scenario } = JSON.parse(readFileSync(join(MENDED, file), 'utf8')) as { readonly scenario: Scenario };
  for (const variant of variantsOf(scenario, VARIANTS_MENDED)) expect((await run(variant)).broken).toBeUndefined();
});
