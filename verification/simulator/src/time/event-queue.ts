export interface Due {
  readonly atMs: number;
  readonly number: number;
  /** Undefined: nobody wants it any more. */
  run: (() => void) | undefined;
}

/** What is due when: in the order of the times, and of the numbers where the times are equal. */
export class Agenda {
  readonly #heap: Due[] = [];

  /** The first that is still wanted. */
  first(): Due | undefined {
    let due = this.#heap[0];
    while (due !== undefined && due.run === undefined) {
      this.pop();
      due = this.#heap[0];
    }
    return due;
  }

  push(due: Due): void {
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

  /** Takes the first away. */
  pop(): void {
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
