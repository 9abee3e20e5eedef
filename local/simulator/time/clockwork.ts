export type Cancel = () => void;

interface Due {
  readonly atMs: number;
  readonly number: number;
  run: (() => void) | undefined;
}

/** How many events are handed to the event loop at once: the microtasks of each are done before the next begins. */
const EVENTS_A_TURN = 512;

/**
 * Virtual time: a queue of events, in the order of their times, and of their making where the times are equal. An event
 * is one step of the simulation: it and everything that follows from it without waiting is done before the next.
 */
export class Clockwork {
  nowMs = 0;
  steps = 0;
  readonly #heap: Due[] = [];
  #made = 0;

  /** Calls `run` after `ms` of virtual time. */
  after(ms: number, run: () => void): Cancel {
    const due: Due = { atMs: this.nowMs + Math.max(0, ms), number: this.#made++, run };
    this.#push(due);
    return () => {
      due.run = undefined;
    };
  }

  /**
   * Runs until `untilMs`, or until `afterStep` says that it is enough. What an event throws, or `afterStep`, ends it.
   */
  run(untilMs: number, afterStep: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      let over = false;
      const one = (): void => {
        if (over) return;
        try {
          // The microtasks of the event before are done by now.
          over = !afterStep() || !this.#step(untilMs);
          if (over) resolve();
        } catch (failure) {
          over = true;
          reject(failure);
        }
      };
      const turn = (): void => {
        if (over) return;
        for (let event = 0; event < EVENTS_A_TURN; event++) setImmediate(one);
        setImmediate(turn);
      };
      turn();
    });
  }

  /** The next event; false: there is none until then. */
  #step(untilMs: number): boolean {
    const due = this.#next();
    if (due === undefined || due.atMs > untilMs) {
      this.nowMs = untilMs;
      return false;
    }
    this.#pop();
    this.nowMs = due.atMs;
    this.steps += 1;
    due.run?.();
    return true;
  }

  /** The first event that nobody has cancelled. */
  #next(): Due | undefined {
    let due = this.#heap[0];
    while (due !== undefined && due.run === undefined) {
      this.#pop();
      due = this.#heap[0];
    }
    return due;
  }

  #push(due: Due): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(due);
    while (at > 0) {
      const above = (at - 1) >> 1;
      const parent = heap[above] as Due;
      if (!isBefore(due, parent)) break;
      heap[at] = parent;
      at = above;
    }
    heap[at] = due;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      const right = heap[child + 1];
      if (right !== undefined && isBefore(right, heap[child] as Due)) child += 1;
      if (!isBefore(heap[child] as Due, last)) break;
      heap[at] = heap[child] as Due;
      at = child;
    }
    heap[at] = last;
  }
}

function isBefore(one: Due, other: Due): boolean {
  return one.atMs < other.atMs || (one.atMs === other.atMs && one.number < other.number);
}
