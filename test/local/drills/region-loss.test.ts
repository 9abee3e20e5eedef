import { run } from '../../support/running-world';

jest.setTimeout(180_000);

test('the drill region-loss: every promise holds', async () => {
  const { code, stdout } = await run('dist/local/drills/main.js', ['--scenario', 'region-loss', '--json'], {});
  const report = JSON.parse(stdout);
  expect(report.promises.filter(({ held }: { held: boolean }) => !held)).toEqual([]);
  expect(report).toMatchObject({ passed: true, scenario: 'region-loss' });
  expect(report.recoveryTimeMs).toBeGreaterThan(0);
  expect(code).toBe(0);
});
