export interface ScheduledEvent {
  readonly atMs: number;
  readonly number: number;
  /** Undefined: cancelled. */
  run: (() => void) | undefined;
}

/** A binary heap of events, ordered by time and then by number. */
export class EventQueue {
  readonly #heap: ScheduledEvent[] = [];

  /** The first event that is not cancelled. */
  first(): ScheduledEvent | undefined {
    let event = this.#heap[0];
    while (event !== undefined && event.run === undefined) {
      this.pop();
      event = this.#heap[0];
    }
    return event;
  }

  push(event: ScheduledEvent): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(event);
    while (at > 0) {
      const above = (at - 1) >> 1;
      const parent = heap[above] as ScheduledEvent;
      if (!isBefore(event, parent)) break;
      heap[at] = parent;
      at = above;
    }
    heap[at] = event;
  }

  /** Removes the first event. */
  pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      const right = heap[child + 1];
      if (right !== undefined && isBefore(right, heap[child] as ScheduledEvent)) child += 1;
      if (!isBefore(heap[child] as ScheduledEvent, last)) break;
      heap[at] = heap[child] as ScheduledEvent;
      at = child;
    }
    heap[at] = last;
  }
}

function isBefore(one: ScheduledEvent, other: ScheduledEvent): boolean {
  return one.atMs < other.atMs || (one.atMs === other.atMs && one.number < other.number);
}
