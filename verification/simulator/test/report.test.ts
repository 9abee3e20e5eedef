import { jsonReport } from '../src/report';
import { run } from '../src/run';
import { drawScenario } from '../src/scenario/draw';
import type { Scenario } from '../src/scenario/scenario';
import { count, noTotals } from '../src/totals';

jest.setTimeout(120_000);

it('json report: contains the counts and a scenario that violates the same invariant again', async () => {
  const disabled = ['S4-extend'] as const;
  const options = { disabled: new Set(disabled), checksLiveness: false };
  const totals = noTotals();
  const failures = [];
  for (let seed = 1; failures.length === 0 && seed < 30; seed++) {
    const result = await run(drawScenario(seed, 'lost-heartbeats'), options);
    count(totals, result);
    if (result.violation) failures.push({ seed, ...result.violation });
  }
  const text = jsonReport({ from: 1, disabled, profile: 'lost-heartbeats', elapsedMs: 5, totals, failures });
  const report = JSON.parse(text) as { failures: { seed: number; invariant: string; scenario: Scenario }[] };
  expect(report).toMatchObject({ from: 1, disabled: ['S4-extend'], elapsedMs: 5, seeds: totals.seeds });
  const [failure] = report.failures;
  if (!failure) throw new Error('no violation without S4-extend in its own profile');
  const again = await run(failure.scenario, options);
  expect(again.violation?.invariant).toBe(failure.invariant);
  expect(again.scenario.seed).toBe(failure.seed);
});
