/** Where the duties wait; whoever runs them in virtual time brings timers of its own. */
export interface Timers {
  /** Calls `run` once, after `ms`, unless it is cancelled. `background`: waiting for it keeps no process alive. */
  after(ms: number, run: () => void, how?: { readonly background: boolean }): () => void;
  /** Calls `run` when everything has been read that the sockets have in this turn. */
  nextTurn(run: () => void): void;
}

export const PROCESS_TIMERS: Timers = {
  after: (ms, run, { background } = { background: false }) => {
    const timer = setTimeout(run, ms);
    if (background) timer.unref();
    return () => clearTimeout(timer);
  },
  nextTurn: (run) => void setImmediate(run),
};

/** Resolves after `ms`. */
export function wait(timers: Timers, ms: number, how?: { readonly background: boolean }): Promise<void> {
  return new Promise((resolve) => void timers.after(ms, resolve, how));
}
