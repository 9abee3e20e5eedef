import { jsonReport } from '../src/report';
import { run } from '../src/run';
import { drawScenario } from '../src/scenario/draw';
import type { Scenario } from '../src/scenario/scenario';
import { count, noTotals } from '../src/totals';

jest.setTimeout(120_000);

it('says in JSON what a search came to, with a scenario that breaks the same promise again', async () => {
  const without = ['S4-extend'] as const;
  const options = { without: new Set(without), mending: false };
  const totals = noTotals();
  const failures = [];
  for (let seed = 1; failures.length === 0 && seed < 30; seed++) {
    const result = await run(drawScenario(seed, 'heartbeats'), options);
    count(totals, result);
    if (result.broken) failures.push({ seed, ...result.broken });
  }
  const text = jsonReport({ from: 1, without, theme: 'heartbeats', elapsedMs: 5, totals, failures });
  const report = JSON.parse(text) as { failures: { seed: number; promise: string; scenario: Scenario }[] };
  expect(report).toMatchObject({ from: 1, without: ['S4-extend'], elapsedMs: 5, seeds: totals.seeds });
  const [failure] = report.failures;
  if (!failure) throw new Error('without S4-extend nothing broke in the story that is for it');
  const again = await run(failure.scenario, options);
  expect(again.broken?.promise).toBe(failure.promise);
  expect(again.scenario.seed).toBe(failure.seed);
});
