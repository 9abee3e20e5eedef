/** A checkout that waits in a queue. */
export interface QueuedCheckout {
  /** Repeats the checkout. Resolves to the seconds until the next repetition, or undefined to stop. Never rejects. */
  readonly ask: () => Promise<number | undefined>;
}

interface Scheduled extends QueuedCheckout {
  dueAtMs: number;
}

/**
 * Repeats queued checkouts, each when it is due, so that clients receive an event when seats become free. The queue itself
 * is in the database, where a place expires when its checkout is not repeated.
 */
export class QueuePoller {
  readonly #nowMs: () => number;
  readonly #scheduled = new Map<QueuedCheckout, Scheduled>();

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  get size(): number {
    return this.#scheduled.size;
  }

  watch(checkout: QueuedCheckout, afterSeconds: number): void {
    this.#scheduled.set(checkout, { ...checkout, dueAtMs: this.#nowMs() + afterSeconds * 1_000 });
  }

  forget(checkout: QueuedCheckout): void {
    this.#scheduled.delete(checkout);
  }

  /** Called at an interval. */
  tick(): void {
    const nowMs = this.#nowMs();
    for (const [checkout, scheduled] of this.#scheduled) {
      if (scheduled.dueAtMs > nowMs) continue;
      scheduled.dueAtMs = Number.POSITIVE_INFINITY;
      void this.#ask(checkout, scheduled);
    }
  }

  async #ask(checkout: QueuedCheckout, scheduled: Scheduled): Promise<void> {
    const afterSeconds = await scheduled.ask();
    // The checkout was removed while its request was in flight.
    if (this.#scheduled.get(checkout) !== scheduled) return;
    if (afterSeconds === undefined) this.#scheduled.delete(checkout);
    else scheduled.dueAtMs = this.#nowMs() + afterSeconds * 1_000;
  }
}
