import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { OperatingError } from '@evergrant/core/operating-error';

/** Bounds on how far the local clock is ahead of the store's clock, in milliseconds; negative is behind. */
interface OffsetBounds {
  readonly leastMs: number;
  readonly mostMs: number;
}

/** The response header has whole seconds. */
const HEADER_RESOLUTION_MS = 1_000;
const MEASUREMENTS_KEPT = 12;

/**
 * DynamoDB has no clock for writes, so every writer stores the time of its local clock. S5 requires that two of these clocks
 * differ by at most the skew, so each may differ from the store's clock by at most half of it. Every response has the
 * store's time, to the second, taken between request and response. That bounds the offset from both sides; the bounds of
 * the last measurements are combined, because one slow response alone proves nothing.
 */
export class ClockSkewGuard {
  readonly #nowMs: () => number;
  readonly #skewMs: number;
  #measurements: readonly OffsetBounds[] = [];

  constructor({ nowMs, skewMs }: { nowMs: () => number; skewMs: number }) {
    this.#nowMs = nowMs;
    this.#skewMs = skewMs;
  }

  /** Measures with every response of `client` from now on. */
  watch(client: DynamoDBClient): void {
    client.middlewareStack.add(
      (next) => async (args) => {
        const sentAtMs = this.#nowMs();
        const answer = await next(args);
        const { headers } = (answer.response ?? {}) as { headers?: Readonly<Record<string, string>> };
        const storeMs = Date.parse(headers?.date ?? '');
        if (Number.isFinite(storeMs)) this.record({ sentAtMs, storeMs, receivedAtMs: this.#nowMs() });
        return answer;
      },
      { step: 'deserialize', name: 'storeClock', override: true },
    );
  }

  record({ sentAtMs, storeMs, receivedAtMs }: { sentAtMs: number; storeMs: number; receivedAtMs: number }): void {
    const measured = { leastMs: sentAtMs - storeMs - HEADER_RESOLUTION_MS, mostMs: receivedAtMs - storeMs };
    const all = [...this.#measurements, measured].slice(-MEASUREMENTS_KEPT);
    const { leastMs, mostMs } = combined(all);
    // Measurements that contradict each other: a clock was set, and only the newest one is valid.
    this.#measurements = leastMs <= mostMs ? all : [measured];
  }

  /** Measures once more by `read` before a write, unless the clock is proven: a refused write measures nothing. */
  async measured(read: () => Promise<unknown>): Promise<void> {
    if (!this.#isProven) await read();
  }

  /** Milliseconds since 1970. Throws `OperatingError` unless the clock is proven to be within half of the skew. */
  nowMs(): number {
    if (this.#isProven) return this.#nowMs();
    const { leastMs, mostMs } = combined(this.#measurements);
    const bounds = Number.isFinite(mostMs) ? `between ${leastMs} and ${mostMs}` : 'an unknown number of';
    const message = `the local clock is ${bounds} ms ahead of the authority store's clock`;
    throw new OperatingError({ code: 'clock_skewed', message, retryable: true });
  }

  get #isProven(): boolean {
    const { leastMs, mostMs } = combined(this.#measurements);
    return leastMs >= -this.#skewMs / 2 && mostMs <= this.#skewMs / 2;
  }
}

function combined(measurements: readonly OffsetBounds[]): OffsetBounds {
  return {
    leastMs: Math.max(Number.NEGATIVE_INFINITY, ...measurements.map(({ leastMs }) => leastMs)),
    mostMs: Math.min(Number.POSITIVE_INFINITY, ...measurements.map(({ mostMs }) => mostMs)),
  };
}
