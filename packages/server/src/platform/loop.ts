import { PROCESS_TIMERS, type Timers, type WaitPurpose } from './timers';

/** Repeats a step with a delay after each. Steps never overlap. `delayMs` is called after each step. */
export class Loop {
  readonly #step: () => Promise<void>;
  readonly #delayMs: () => number;
  readonly #timers: Timers;
  readonly #purpose: () => WaitPurpose | undefined;
  #cancel: () => void = () => undefined;
  #running: Promise<void> | undefined;
  #again = false;
  #stopped = true;

  constructor(
    step: () => Promise<void>,
    delayMs: () => number,
    timers: Timers = PROCESS_TIMERS,
    purpose: () => WaitPurpose | undefined = () => undefined,
  ) {
    this.#step = step;
    this.#delayMs = delayMs;
    this.#timers = timers;
    this.#purpose = purpose;
  }

  /** Resolves when the first step has ended. */
  start(): Promise<void> {
    this.#stopped = false;
    return this.#run();
  }

  /** Runs the step now, or once more immediately after the running one. */
  kick(): void {
    if (this.#stopped) return;
    if (this.#running) this.#again = true;
    else void this.#run();
  }

  /** Resolves when no step is running. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancel();
    await this.#running;
  }

  #run(): Promise<void> {
    this.#cancel();
    this.#again = false;
    this.#running = this.#step().finally(() => {
      this.#running = undefined;
      if (this.#stopped) return;
      if (this.#again) void this.#run();
      else this.#wait();
    });
    return this.#running;
  }

  #wait(): void {
    this.#cancel = this.#timers.after(this.#delayMs(), () => void this.#run(), { purpose: this.#purpose() });
  }
}
