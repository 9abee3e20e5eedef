/** The events of the world, for the view, the log and the drills. */

export type EventLevel = 'info' | 'good' | 'warning' | 'alarm';

export interface WorldEvent {
  /** Wall-clock time, ISO 8601, for display. Durations use `atMs`. */
  readonly at: string;
  /** Milliseconds since the world was created, on this process's monotonic clock. */
  readonly atMs: number;
  readonly source: string;
  readonly level: EventLevel;
  readonly text: string;
  /** The fields of the log line that produced the event, for programs. */
  readonly fields?: Readonly<Record<string, unknown>>;
}

type Listener = (event: WorldEvent) => void;

const KEPT_EVENTS = 500;

export class EventLog {
  readonly #startedAt = performance.now();
  readonly #listeners = new Set<Listener>();
  readonly #kept: WorldEvent[] = [];

  add(source: string, text: string, level: EventLevel = 'info', fields?: Record<string, unknown>): void {
    const event: WorldEvent = {
      at: new Date().toISOString(),
      atMs: performance.now() - this.#startedAt,
      source,
      level,
      text,
      ...(fields ? { fields } : {}),
    };
    this.#kept.push(event);
    if (this.#kept.length > KEPT_EVENTS) this.#kept.shift();
    for (const listener of this.#listeners) listener(event);
  }

  subscribe(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The most recent events, oldest first. */
  recent(count: number): readonly WorldEvent[] {
    return this.#kept.slice(-count);
  }
}
