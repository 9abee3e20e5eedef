import type { Logger } from 'pino';
import type { Registry } from 'prom-client';
import { Loop } from './loop';

/**
 * Writes the server's numbers into its log, for places that read logs and do not scrape: every counter as what was
 * counted since the last line, every gauge as it stands, summed over their labels; of days left, the fewest.
 */
export class MetricsLog {
  readonly #loop: Loop;
  readonly #counted = new Map<string, number>();

  constructor(registry: Registry, { log, everyMs }: { log: Logger; everyMs: number }) {
    this.#loop = new Loop(
      async () => {
        log.info({ metrics: await this.#numbers(registry) }, 'metrics');
      },
      () => everyMs,
    );
  }

  start(): void {
    void this.#loop.start();
  }

  stop(): Promise<void> {
    return this.#loop.stop();
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
