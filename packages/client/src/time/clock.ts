/** Time source of the client. Simulations provide a virtual clock. */
export interface ClientClock {
  /** Monotonic time in milliseconds. */
  nowMs(): number;
  /** Wall clock in milliseconds since 1970. It may be wrong and may jump. */
  wallMs(): number;
  /** Calls `run` once after `ms`. With `background`, the timer does not keep the process alive. */
  after(ms: number, run: () => void, how: { readonly background: boolean }): Cancel;
}

export type Cancel = () => void;

/** Limit of setTimeout. Longer timers fire early, and their callers check the time again. */
const TIMER_MS_MAX = 2 ** 31 - 1;

export const PROCESS_CLOCK: ClientClock = {
  nowMs: () => performance.now(),
  wallMs: () => Date.now(),
  after: (ms, run, { background }) => {
    const timer = setTimeout(run, Math.min(Math.max(0, ms), TIMER_MS_MAX));
    if (background) timer.unref();
    return () => clearTimeout(timer);
  },
};

/** Waits for `ms`, or until `signal` is aborted. */
export function pauseFor(
  clock: ClientClock,
  ms: number,
  { signal, background }: { readonly signal: AbortSignal; readonly background: boolean },
): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = (): void => {
      cancel();
      signal.removeEventListener('abort', done);
      resolve();
    };
    const cancel = clock.after(ms, done, { background });
    signal.addEventListener('abort', done);
  });
}
