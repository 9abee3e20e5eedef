import pino from 'pino';
import { FollowerCount } from '../../src/epochs/follower-count';
import { Metrics } from '../../src/platform/metrics';

describe('FollowerCount', () => {
  it('raises one alert when there are several followers for a minute, and logs the end', async () => {
    const lines: Record<string, unknown>[] = [];
    const log = pino({ level: 'info' }, { write: (line: string) => lines.push(JSON.parse(line)) });
    const metrics = new Metrics();
    let nowMs = 0;
    const count = new FollowerCount({ server: 'oregon/app-1', clock: { nowMs: () => nowMs }, metrics, log });
    for (; nowMs < 59_000; nowMs += 1_000) count.record(2);
    expect(lines).toEqual([]);
    for (; nowMs < 120_000; nowMs += 1_000) count.record(2);
    expect(lines).toEqual([expect.objectContaining({ alert: 'several-followers', followers: 2 })]);
    expect(await metrics.registry.metrics()).toMatch(/evergrant_followers(\{[^}]*\})? 2/);
    count.record(1);
    count.record(0);
    expect(lines).toHaveLength(2);
  });
});
