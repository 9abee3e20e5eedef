import { Writable } from 'node:stream';
import { eventually } from '@evergrant/test-support/eventually';
import { pino } from 'pino';
import { Metrics } from '../../src/platform/metrics';
import { MetricsLog } from '../../src/platform/metrics-log';

it('writes counters as what was counted since, and gauges as they stand', async () => {
  const lines: { metrics: Record<string, number> }[] = [];
  const stream = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      lines.push(JSON.parse(chunk.toString('utf8')) as (typeof lines)[number]);
      done();
    },
  });
  const metrics = new Metrics();
  const metricsLog = new MetricsLog({ metrics, log: pino(stream), everyMs: 20 });
  metrics.expiries.inc(3);
  metricsLog.start();
  const first = await eventually('a first line', () => lines[0]);
  metrics.expiries.inc(2);
  const later = await eventually('a line with what came after', () =>
    lines.find((line) => line !== first && line.metrics.evergrant_expiries_total !== 0),
  );
  await metricsLog.stop();
  expect(first.metrics.evergrant_expiries_total).toBe(3);
  expect(later.metrics.evergrant_expiries_total).toBe(2);
  expect(first.metrics).toHaveProperty('evergrant_granting');
  expect(Object.keys(first.metrics).filter((name) => !name.startsWith('evergrant_'))).toEqual([]);
});
