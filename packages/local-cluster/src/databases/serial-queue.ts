/** Runs tasks one after the other. Every task that changes a region's databases runs in the queue of that region. */
export class SerialQueue {
  #tail: Promise<unknown> = Promise.resolve();
  #pending = 0;

  get isBusy(): boolean {
    return this.#pending > 0;
  }

  run<T>(task: () => Promise<T>): Promise<T> {
    this.#pending += 1;
    const done = this.#tail.then(task).finally(() => {
      this.#pending -= 1;
    });
    this.#tail = done.catch(() => undefined);
    return done;
  }

  /** Resolves when every task that is in the queue now has ended. */
  async idle(): Promise<void> {
    await this.#tail;
  }
}
