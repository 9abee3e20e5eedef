import type { Timers } from '@evergrant/server/platform/timers';
import type { Random } from '../time/random';
import type { CancelTimer, VirtualClock } from '../time/virtual-clock';
import type { SimulatedPlace } from './place';

/** Start of every simulation, in milliseconds since 1970. */
export const BEGINNING_MS = Date.UTC(2026, 0, 1);

export interface HostOptions {
  readonly name: string;
  readonly place: SimulatedPlace;
  readonly virtualClock: VirtualClock;
  readonly random: Random;
  /** Offset of its wall clock. */
  readonly aheadMs?: number;
  /** Largest delay of its timers, as on a busy machine. */
  readonly timersLateMsMax?: number;
  /** Repeats the same work while idle; skipped time does not count for its clock and timers. */
  readonly isRoutine?: boolean;
}

/**
 * A process on its own machine. Every event from outside passes `arrive`: it waits while the process is paused, and it is
 * dropped when it was meant for an earlier life. So a process can crash or pause between any two of its steps.
 */
export class Host {
  readonly name: string;
  readonly place: SimulatedPlace;
  state: 'running' | 'paused' | 'down' = 'running';
  /** Counts its starts. */
  life = 1;
  aheadMs: number;
  /** The offset of its wall clock while no fault has set it. */
  readonly steadyAheadMs: number;
  /** Requests without an answer so far. */
  pendingRequests = 0;
  readonly isRoutine: boolean;
  readonly #virtualClock: VirtualClock;
  readonly #random: Random;
  readonly #timersLateMsMax: number;
  #arrivals: (() => void)[] = [];

  constructor({ name, place, virtualClock, random, aheadMs = 0, timersLateMsMax = 0, isRoutine = false }: HostOptions) {
    this.name = name;
    this.place = place;
    this.aheadMs = aheadMs;
    this.steadyAheadMs = aheadMs;
    this.isRoutine = isRoutine;
    this.#virtualClock = virtualClock;
    this.#random = random;
    this.#timersLateMsMax = timersLateMsMax;
  }

  /** Its monotonic clock, which continues while the process is paused. */
  nowMs(): number {
    return this.isRoutine ? this.#virtualClock.elapsedActiveMs : this.#virtualClock.nowMs;
  }

  /** Its wall clock, in milliseconds since 1970. */
  wallMs(): number {
    return BEGINNING_MS + this.#virtualClock.nowMs + this.aheadMs;
  }

  get isRunning(): boolean {
    return this.state === 'running';
  }

  arrive(life: number, run: () => void): void {
    if (life !== this.life || this.state === 'down') return;
    if (this.state === 'running') run();
    else this.#arrivals.push(run);
  }

  after(ms: number, run: () => void): CancelTimer {
    return this.#after(ms + (this.#timersLateMsMax === 0 ? 0 : this.#random.next() * this.#timersLateMsMax), run);
  }

  #after(ms: number, run: () => void): CancelTimer {
    const { life } = this;
    let isPending = true;
    const arrive = () => this.arrive(life, () => isPending && run());
    const cancel = this.isRoutine ? this.#virtualClock.afterActive(ms, arrive) : this.#virtualClock.after(ms, arrive);
    return () => {
      isPending = false;
      cancel();
    };
  }

  wait(ms: number): Promise<void> {
    return new Promise((resolve) => void this.after(ms, resolve));
  }

  get timers(): Timers {
    return {
      after: (ms, run) => this.after(ms, run),
      nextTurn: (run) => void this.#virtualClock.after(0, () => run()),
    };
  }

  /** Timers without delay. They draw no random numbers, so rare jobs do not change the rest of a run. */
  get punctualTimers(): Timers {
    return { ...this.timers, after: (ms, run) => this.#after(ms, run) };
  }

  /** Stops the process without losing its memory. */
  pause(): void {
    if (this.state === 'running') this.state = 'paused';
  }

  resume(): void {
    if (this.state !== 'paused') return;
    this.state = 'running';
    const arrivals = this.#arrivals;
    this.#arrivals = [];
    const { life } = this;
    for (const run of arrivals) this.#virtualClock.after(0, () => this.arrive(life, run));
  }

  crash(): void {
    this.state = 'down';
    this.life += 1;
    this.pendingRequests = 0;
    this.#arrivals = [];
  }

  start(): void {
    if (this.state === 'down') this.state = 'running';
  }
}
