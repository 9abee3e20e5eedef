import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { OperatingError } from '@evergrant/core/operating-error';

/**
 * DynamoDB has no clock for writes, so every writer stores the time of its local clock. S5 requires that the clocks
 * differ by at most the skew. Every response has the service's time, to the second; the guard compares it with the
 * local clock.
 */
export class ClockSkewGuard {
  readonly #nowMs: () => number;
  readonly #skewMs: number;
  #aheadMs = 0;

  constructor({ nowMs, skewMs }: { nowMs: () => number; skewMs: number }) {
    this.#nowMs = nowMs;
    this.#skewMs = skewMs;
  }

  /** Reads the time in every response of `client` from now on. */
  watch(client: DynamoDBClient): void {
    client.middlewareStack.add(
      (next) => async (args) => {
        const answer = await next(args);
        const { headers } = (answer.response ?? {}) as { headers?: Readonly<Record<string, string>> };
        const serviceMs = Date.parse(headers?.date ?? '');
        if (Number.isFinite(serviceMs)) this.#aheadMs = this.#nowMs() - serviceMs;
        return answer;
      },
      { step: 'deserialize', name: 'storeClock', override: true },
    );
  }

  /** Milliseconds since 1970. Throws `OperatingError` if the local clock and the store's clock differ too much. */
  nowMs(): number {
    // The header has whole seconds, and the response took time: up to two seconds ahead is no evidence of skew.
    if (this.#aheadMs > this.#skewMs / 2 + 2_000 || this.#aheadMs < -this.#skewMs / 2) {
      const message = `the local clock is ${this.#aheadMs} ms ahead of the authority store's clock`;
      throw new OperatingError({ code: 'clock_skewed', message, retryable: true });
    }
    return this.#nowMs();
  }
}
