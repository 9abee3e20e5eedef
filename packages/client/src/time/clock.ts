/** Where the client's time comes from; whoever runs it in virtual time brings a clock of its own. */
export interface ClientClock {
  /** Never goes back. */
  nowMs(): number;
  /** Milliseconds since 1970, by this machine; may be wrong, and may be changed at any time. */
  wallMs(): number;
  /** Calls `run` once, after `ms`. `background`: waiting for it does not keep the host's process alive. */
  after(ms: number, run: () => void, how: { readonly background: boolean }): Cancel;
}

export type Cancel = () => void;

/** setTimeout's own limit. Whoever wants to wait longer is called earlier and has to look again. */
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

/** Waits; ends early when `signal` is aborted. */
export function pause(
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
