import { oneWorldAtATime } from '@evergrant/test-support/one-world-at-a-time';
import { runProgram } from '@evergrant/test-support/running-world';

jest.setTimeout(180_000);
oneWorldAtATime();

test('the drill region-loss: every promise holds', async () => {
  const { code, stdout } = await runProgram('dist/drills/main.js', ['--scenario', 'region-loss', '--json'], {});
  const report = JSON.parse(stdout);
  expect(report.promises.filter(({ held }: { held: boolean }) => !held)).toEqual([]);
  expect({ passed: report.passed, broken: report.broken }).toEqual({ passed: true, broken: undefined });
  expect(report.recoveryTimeMs).toBeGreaterThan(0);
  expect(code).toBe(0);
});
