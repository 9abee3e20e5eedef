import { EventQueue, type ScheduledEvent } from './event-queue';

export type CancelTimer = () => void;

/** Events per batch of `setImmediate` calls. Each event's microtasks end before the next event begins. */
const EVENTS_PER_BATCH = 512;
/** Shorter skips cost more than they save. */
const SKIP_MS_MIN = 1_000;

/**
 * Runs events in the order of their virtual times, and of their creation where the times are equal. An event and all
 * microtasks that follow from it are one step.
 *
 * Idle time can be skipped. Timers set with `afterActive` do not advance when time is skipped.
 */
export class VirtualClock {
  nowMs = 0;
  steps = 0;
  /** Part of `nowMs` that was skipped. */
  skippedMs = 0;
  /** Returns the time up to which idle time may be skipped, at most `untilMs`. @default no skipping */
  skipTo: (untilMs: number) => number = () => this.nowMs;
  readonly #events = new EventQueue();
  readonly #activeTimeEvents = new EventQueue();
  #created = 0;

  get elapsedActiveMs(): number {
    return this.nowMs - this.skippedMs;
  }

  /** Calls `run` after `ms` of virtual time. */
  after(ms: number, run: () => void): CancelTimer {
    return this.#schedule(this.#events, this.nowMs + Math.max(0, ms), run);
  }

  /** Calls `run` after `ms` of virtual time that was not skipped. */
  afterActive(ms: number, run: () => void): CancelTimer {
    return this.#schedule(this.#activeTimeEvents, this.elapsedActiveMs + Math.max(0, ms), run);
  }

  /** Runs until `untilMs` or until `continues` returns false. Rejects with what an event or `continues` throws. */
  run(untilMs: number, continues: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      let ended = false;
      const runOne = (): void => {
        if (ended) return;
        try {
          ended = !continues() || !this.#step(untilMs);
          if (ended) resolve();
        } catch (failure) {
          ended = true;
          reject(failure);
        }
      };
      const runBatch = (): void => {
        if (ended) return;
        for (let event = 0; event < EVENTS_PER_BATCH; event++) setImmediate(runOne);
        setImmediate(runBatch);
      };
      runBatch();
    });
  }

  #schedule(queue: EventQueue, atMs: number, run: () => void): CancelTimer {
    const event: ScheduledEvent = { atMs, number: this.#created++, run };
    queue.push(event);
    return () => {
      event.run = undefined;
    };
  }

  /** Runs the next event. Returns false when none is due by `untilMs`. */
  #step(untilMs: number): boolean {
    const event = this.#events.first();
    this.#skip(Math.min(untilMs, event?.atMs ?? untilMs));
    const active = this.#activeTimeEvents.first();
    const activeAtMs = active === undefined ? Number.POSITIVE_INFINITY : active.atMs + this.skippedMs;
    const isActive = active !== undefined && (event === undefined || isBefore(activeAtMs, active.number, event));
    const next = isActive ? active : event;
    const atMs = isActive ? activeAtMs : (event?.atMs ?? Number.POSITIVE_INFINITY);
    if (next === undefined || atMs > untilMs) {
      this.nowMs = untilMs;
      return false;
    }
    (isActive ? this.#activeTimeEvents : this.#events).pop();
    // Adding and subtracting skipped time may round a time down.
    this.nowMs = Math.max(this.nowMs, atMs);
    this.steps += 1;
    next.run?.();
    return true;
  }

  #skip(nextMs: number): void {
    if (nextMs - this.nowMs < SKIP_MS_MIN) return;
    const skipMs = this.skipTo(nextMs) - this.nowMs;
    if (skipMs < SKIP_MS_MIN) return;
    this.nowMs += skipMs;
    this.skippedMs += skipMs;
  }
}

function isBefore(atMs: number, number: number, other: ScheduledEvent): boolean {
  return atMs < other.atMs || (atMs === other.atMs && number < other.number);
}
