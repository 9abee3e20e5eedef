import { Agenda, type Due } from './event-queue';

export type Cancel = () => void;

/** How many events are handed to the event loop at once: the microtasks of each are done before the next begins. */
const EVENTS_A_TURN = 512;
/** A shorter leap is not worth the look whether it may be made. */
const LEAP_MS_MIN = 1_000;

/**
 * Virtual time: a queue of events, in the order of their times, and of their making where the times are equal. An event
 * is one step of the simulation: it and everything that follows from it without waiting is done before the next.
 *
 * Time may be leapt over while nothing happens but what happens always. For what is due after a time that has to be lived
 * through (`afterLived`) a leap does not count: it is as far ahead as before.
 */
export class Clockwork {
  nowMs = 0;
  steps = 0;
  /** How much of the time until now was leapt over. */
  leaptMs = 0;
  /** Up to when a leap may go that ends at `untilMs` at the latest; by default there are none. */
  leapTo: (untilMs: number) => number = () => this.nowMs;
  readonly #events = new Agenda();
  readonly #duties = new Agenda();
  #made = 0;

  get livedMs(): number {
    return this.nowMs - this.leaptMs;
  }

  /** Calls `run` after `ms` of virtual time. */
  after(ms: number, run: () => void): Cancel {
    const due: Due = { atMs: this.nowMs + Math.max(0, ms), number: this.#made++, run };
    this.#events.push(due);
    return () => {
      due.run = undefined;
    };
  }

  /** Calls `run` when `ms` of virtual time have been lived through. */
  afterLived(ms: number, run: () => void): Cancel {
    const due: Due = { atMs: this.livedMs + Math.max(0, ms), number: this.#made++, run };
    this.#duties.push(due);
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
    const event = this.#events.first();
    this.#leap(Math.min(untilMs, event?.atMs ?? untilMs));
    const duty = this.#duties.first();
    const dutyAtMs = duty === undefined ? Number.POSITIVE_INFINITY : duty.atMs + this.leaptMs;
    const isDuty = duty !== undefined && (event === undefined || isFirst(dutyAtMs, duty.number, event));
    const due = isDuty ? duty : event;
    const atMs = isDuty ? dutyAtMs : (event?.atMs ?? Number.POSITIVE_INFINITY);
    if (due === undefined || atMs > untilMs) {
      this.nowMs = untilMs;
      return false;
    }
    (isDuty ? this.#duties : this.#events).pop();
    // What is added to and taken away from a time may come out a trifle smaller.
    this.nowMs = Math.max(this.nowMs, atMs);
    this.steps += 1;
    due.run?.();
    return true;
  }

  #leap(nextMs: number): void {
    if (nextMs - this.nowMs < LEAP_MS_MIN) return;
    const leapMs = this.leapTo(nextMs) - this.nowMs;
    if (leapMs < LEAP_MS_MIN) return;
    this.nowMs += leapMs;
    this.leaptMs += leapMs;
  }
}

function isFirst(atMs: number, number: number, other: Due): boolean {
  return atMs < other.atMs || (atMs === other.atMs && number < other.number);
}
