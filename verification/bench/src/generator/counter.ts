import type { Measured } from '../messages';
import { LatencyRecord } from './latencies';

/** Counts answers between the end of the warm-up and the end of the load. */
export class Counter {
  readonly #latencies = new LatencyRecord();
  readonly #statuses = new Map<number | string, number>();
  #operations = 0;
  #countingSinceMs: number | undefined;
  #endedAfterMs: number | undefined;

  /** False once the load has ended: connections then send no further requests. */
  get isRunning(): boolean {
    return this.#endedAfterMs === undefined;
  }

  begin(): void {
    this.#countingSinceMs = performance.now();
  }

  end(): void {
    this.#endedAfterMs = performance.now() - (this.#countingSinceMs ?? Number.NaN);
  }

  /** Counts an answer with any status, and its latency if `sentAtMs` is given. */
  answered(status: number | string, sentAtMs?: number): void {
    if (this.#countingSinceMs === undefined || !this.isRunning) return;
    if (sentAtMs !== undefined) this.#latencies.add(performance.now() - sentAtMs);
    this.#statuses.set(status, (this.#statuses.get(status) ?? 0) + 1);
  }

  /** Counts a successful operation. */
  completed(): void {
    if (this.#countingSinceMs !== undefined && this.isRunning) this.#operations += 1;
  }

  measured(): Measured {
    return {
      operations: this.#operations,
      seconds: (this.#endedAfterMs ?? Number.NaN) / 1000,
      latencies: this.#latencies.summary(),
      statuses: Object.fromEntries(this.#statuses),
    };
  }
}
