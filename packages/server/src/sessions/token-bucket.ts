export interface TokenBucketRate {
  readonly perSecond: number;
  readonly burstMax: number;
}

/** A token bucket rate limiter. Times are monotonic milliseconds. */
export class TokenBucket {
  readonly #rate: TokenBucketRate;
  #left: number;
  #atMs: number;

  constructor(rate: TokenBucketRate, nowMs: number) {
    this.#rate = rate;
    this.#left = rate.burstMax;
    this.#atMs = nowMs;
  }

  /** False when the bucket is empty. */
  take(nowMs: number): boolean {
    const { perSecond, burstMax } = this.#rate;
    this.#left = Math.min(burstMax, this.#left + ((nowMs - this.#atMs) * perSecond) / 1_000);
    this.#atMs = nowMs;
    if (this.#left < 1) return false;
    this.#left -= 1;
    return true;
  }
}
