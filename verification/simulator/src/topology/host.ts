import type { Timers } from '@evergrant/server/platform/timers';
import type { Random } from '../time/random';
import type { Cancel, Clockwork } from '../time/virtual-clock';
import type { Place } from './network';

/** The moment, in milliseconds since 1970, at which every simulation begins. */
export const BEGINNING_MS = Date.UTC(2026, 0, 1);

export interface HostOptions {
  readonly name: string;
  readonly place: Place;
  readonly clockwork: Clockwork;
  readonly random: Random;
  /** How far its wall clock is ahead. */
  readonly aheadMs?: number;
  /** How late its timers may be: a busy machine calls nobody on time. */
  readonly timersLateMsMax?: number;
  /** Does in quiet times what it always does: such times are leapt over, and it does not notice. */
  readonly isRoutine?: boolean;
}

/**
 * A process on a machine of its own. Everything that happens to it from outside comes through `arrive`: while it is
 * paused that waits, and of what was meant for an earlier life nothing arrives any more. So it can be stopped, for ever
 * or for a while, between any two of its steps.
 */
export class Host {
  readonly name: string;
  readonly place: Place;
  state: 'running' | 'paused' | 'down' = 'running';
  /** Counts its starts. */
  life = 1;
  aheadMs: number;
  /** Its questions that are not answered yet. */
  asking = 0;
  readonly isRoutine: boolean;
  readonly #clockwork: Clockwork;
  readonly #random: Random;
  readonly #timersLateMsMax: number;
  #mail: (() => void)[] = [];

  constructor({ name, place, clockwork, random, aheadMs = 0, timersLateMsMax = 0, isRoutine = false }: HostOptions) {
    this.name = name;
    this.place = place;
    this.aheadMs = aheadMs;
    this.isRoutine = isRoutine;
    this.#clockwork = clockwork;
    this.#random = random;
    this.#timersLateMsMax = timersLateMsMax;
  }

  /** Its monotonic clock; it counts on while the process is paused. */
  nowMs(): number {
    return this.isRoutine ? this.#clockwork.livedMs : this.#clockwork.nowMs;
  }

  /** Milliseconds since 1970, by its own clock. */
  wallMs(): number {
    return BEGINNING_MS + this.#clockwork.nowMs + this.aheadMs;
  }

  get isRunning(): boolean {
    return this.state === 'running';
  }

  arrive(life: number, run: () => void): void {
    if (life !== this.life || this.state === 'down') return;
    if (this.state === 'running') run();
    else this.#mail.push(run);
  }

  after(ms: number, run: () => void): Cancel {
    return this.#after(ms + (this.#timersLateMsMax === 0 ? 0 : this.#random.next() * this.#timersLateMsMax), run);
  }

  #after(ms: number, run: () => void): Cancel {
    const { life } = this;
    let wanted = true;
    const arrive = () => this.arrive(life, () => wanted && run());
    const cancel = this.isRoutine ? this.#clockwork.afterLived(ms, arrive) : this.#clockwork.after(ms, arrive);
    return () => {
      wanted = false;
      cancel();
    };
  }

  wait(ms: number): Promise<void> {
    return new Promise((resolve) => void this.after(ms, resolve));
  }

  get timers(): Timers {
    return {
      after: (ms, run) => this.after(ms, run),
      nextTurn: (run) => void this.#clockwork.after(0, () => run()),
    };
  }

  /** Never late: for what is done seldom, so that it changes nobody else's luck. */
  get punctualTimers(): Timers {
    return { ...this.timers, after: (ms, run) => this.#after(ms, run) };
  }

  /** Runs nothing from now on, and forgets nothing. */
  pause(): void {
    if (this.state === 'running') this.state = 'paused';
  }

  resume(): void {
    if (this.state !== 'paused') return;
    this.state = 'running';
    const mail = this.#mail;
    this.#mail = [];
    const { life } = this;
    for (const run of mail) this.#clockwork.after(0, () => this.arrive(life, run));
  }

  crash(): void {
    this.state = 'down';
    this.life += 1;
    this.asking = 0;
    this.#mail = [];
  }

  start(): void {
    if (this.state === 'down') this.state = 'running';
  }
}
