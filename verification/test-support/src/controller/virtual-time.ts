import { setImmediate as settled } from 'node:timers/promises';

/** Virtual time. It advances only when every task waits, and the waiting tasks resume in order of their due time. */
export class VirtualTime {
  readonly #sleepers: { readonly atMs: number; readonly wake: () => void }[] = [];
  #nowMs = 0;
  readonly #onPass: (durationMs: number) => void;

  constructor(onPass: (durationMs: number) => void) {
    this.#onPass = onPass;
  }

  get nowMs(): number {
    return this.#nowMs;
  }

  readonly wait = (durationMs: number): Promise<void> =>
    new Promise((wake) => void this.#sleepers.push({ atMs: this.#nowMs + durationMs, wake }));

  /** Runs until the time is reached or `done` holds. */
  async run(untilMs: number, done: () => boolean = () => false): Promise<void> {
    for (;;) {
      await settled();
      if (done()) return;
      const [next] = this.#sleepers.sort((left, right) => left.atMs - right.atMs);
      const atMs = Math.min(next?.atMs ?? untilMs, untilMs);
      if (atMs > this.#nowMs) this.#onPass(atMs - this.#nowMs);
      this.#nowMs = atMs;
      if (next === undefined || next.atMs > untilMs) return;
      this.#sleepers.shift();
      next.wake();
    }
  }
}
