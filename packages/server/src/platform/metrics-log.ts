import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import { BackgroundJob } from './background-job';
import type { Metrics } from './metrics';

/**
 * Writes the metrics into the log, for installations that read logs instead of scraping. A counter is logged as its
 * increase since the last line, a gauge as its value; both are summed over their labels. Of `_days` gauges the minimum
 * is logged.
 */
export class MetricsLog {
  readonly #job: BackgroundJob;
  readonly #counted = new Map<string, number>();

  constructor({ metrics, log, everyMs }: { metrics: Metrics; log: Logger; everyMs: number }) {
    this.#job = new BackgroundJob({
      name: 'metrics_log',
      everyMs,
      step: async () => {
        log.info({ metrics: await this.#numbers(metrics.registry) }, 'metrics');
      },
      failureMessage: 'the metrics could not be logged',
      log,
      metrics,
    });
  }

  start(): void {
    void this.#job.start();
  }

  stop(): Promise<void> {
    return this.#job.stop();
  }

  async #numbers(registry: Registry): Promise<Record<string, number>> {
    const numbers: Record<string, number> = {};
    for (const { name, type, values } of await registry.getMetricsAsJSON()) {
      const kind = String(type);
      if (!name.startsWith('evergrant_') || (kind !== 'counter' && kind !== 'gauge')) continue;
      if (name.endsWith('_days')) {
        if (values.length > 0) numbers[name] = Math.min(...values.map(({ value }) => Number(value)));
        continue;
      }
      const sum = values.reduce((total, { value }) => total + Number(value), 0);
      numbers[name] = kind === 'gauge' ? sum : sum - (this.#counted.get(name) ?? 0);
      if (kind === 'counter') this.#counted.set(name, sum);
    }
    return numbers;
  }
}
