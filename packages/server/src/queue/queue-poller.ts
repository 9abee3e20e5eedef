/** A checkout that stands in line. */
export interface QueuedCheckout {
  /** Asks again; the next time is due after so many seconds, or never when it stands in line no more. Never rejects. */
  readonly ask: () => Promise<number | undefined>;
}

interface Watched extends QueuedCheckout {
  dueAtMs: number;
}

/**
 * Asks again for the checkouts that stand in line, each at its time, so that their clients are told when seats come free
 * and do not have to ask. The line itself is the database's: a place that nobody asks for lapses.
 */
export class QueuePoller {
  readonly #nowMs: () => number;
  readonly #watched = new Map<QueuedCheckout, Watched>();

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  get size(): number {
    return this.#watched.size;
  }

  watch(wait: QueuedCheckout, afterSeconds: number): void {
    this.#watched.set(wait, { ...wait, dueAtMs: this.#nowMs() + afterSeconds * 1_000 });
  }

  forget(wait: QueuedCheckout): void {
    this.#watched.delete(wait);
  }

  /** Called at an interval. */
  tick(): void {
    const nowMs = this.#nowMs();
    for (const [wait, watched] of this.#watched) {
      if (watched.dueAtMs > nowMs) continue;
      watched.dueAtMs = Number.POSITIVE_INFINITY;
      void this.#ask(wait, watched);
    }
  }

  async #ask(wait: QueuedCheckout, watched: Watched): Promise<void> {
    const afterSeconds = await watched.ask();
    // Forgotten while it was asked for.
    if (this.#watched.get(wait) !== watched) return;
    if (afterSeconds === undefined) this.#watched.delete(wait);
    else watched.dueAtMs = this.#nowMs() + afterSeconds * 1_000;
  }
}
