/** Does one thing after the other: everything that changes a region's databases goes through its queue. */
export class SerialQueue {
  #tail: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  get isBusy(): boolean {
    return this.#waiting > 0;
  }

  run<T>(task: () => Promise<T>): Promise<T> {
    this.#waiting += 1;
    const done = this.#tail.then(task).finally(() => {
      this.#waiting -= 1;
    });
    this.#tail = done.catch(() => undefined);
    return done;
  }

  /** Resolves when everything that is in the queue now has been done. */
  async idle(): Promise<void> {
    await this.#tail;
  }
}
