import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { PromiseName } from '../../../local/simulator/promises/ledger';
import { PUNISHED_IN_THE_END, type Rule } from '../../../local/simulator/rules';
import { run } from '../../../local/simulator/run';
import type { Scenario } from '../../../local/simulator/scenario/scenario';

/** Found by `npm run simulate -- --rules --keep test/local/simulator/regressions`. */
const FOLDER = join(__dirname, 'regressions');

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

describe.each(KEPT)('%s', (_name, { rule, promise, scenario }) => {
  const mending = PUNISHED_IN_THE_END.has(rule);

  it(`left out, breaks ${promise}`, async () => {
    const { broken } = await run(scenario, { without: new Set([rule]), mending });
    expect(broken?.promise).toBe(promise);
  });

  it('kept, breaks nothing in the same scenario', async () => {
    const { broken } = await run(scenario, { mending });
    expect(broken).toBeUndefined();
  });
});
