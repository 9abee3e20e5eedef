import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { OperatingError } from '@evergrant/core/operating-error';

/**
 * DynamoDB has no clock to write with, so whoever writes a time writes its own, and S5 wants the clocks to agree
 * within the skew. Every answer carries the service's time, to the second: whoever is far from it is refused.
 */
export class ClockSkewGuard {
  readonly #nowMs: () => number;
  readonly #skewMs: number;
  #aheadMs = 0;

  constructor({ nowMs, skewMs }: { nowMs: () => number; skewMs: number }) {
    this.#nowMs = nowMs;
    this.#skewMs = skewMs;
  }

  /** Listens to the answers of `client` from now on. */
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

  /** Milliseconds since 1970. Throws `OperatingError` when our clock and the store's are too far apart to judge times. */
  nowMs(): number {
    // The header is cut to the second, and the answer took its time: up to two seconds ahead means nothing.
    if (this.#aheadMs > this.#skewMs / 2 + 2_000 || this.#aheadMs < -this.#skewMs / 2) {
      const message = `our clock is ${this.#aheadMs} ms ahead of the authority store's`;
      throw new OperatingError({ code: 'clock_skewed', message, retryable: true });
    }
    return this.#nowMs();
  }
}
