/** Purposes of waits that timers in virtual time may stretch. */
export type WaitPurpose = 'observe_role' | 'await_beacon';

export interface WaitOptions {
  /** @default a wait that is never stretched */
  readonly purpose?: WaitPurpose | undefined;
  /** The wait does not keep the process alive. @default false */
  readonly background?: boolean | undefined;
}

/** Timers of a process. A simulation passes timers of its virtual clock. */
export interface Timers {
  /** Calls `run` once after `ms`. The returned function cancels the call. */
  after(ms: number, run: () => void, options?: WaitOptions): () => void;
  /** Calls `run` after all sockets are read in this turn of the event loop. */
  nextTurn(run: () => void): void;
}

export const PROCESS_TIMERS: Timers = {
  after: (ms, run, { background = false } = {}) => {
    const timer = setTimeout(run, ms);
    if (background) timer.unref();
    return () => clearTimeout(timer);
  },
  nextTurn: (run) => void setImmediate(run),
};

/** Resolves after `ms`. */
export function wait(timers: Timers, ms: number, options?: WaitOptions): Promise<void> {
  return new Promise((resolve) => void timers.after(ms, resolve, options));
}
