import { addElapsed, type LastContact, recordContact, serverTimeAtLeastMs } from '../core/elapsed';
import type { ClientClock } from './clock';

/** Estimates the servers' clock from the last response, across restarts. */
export class ServerClock {
  readonly #clock: ClientClock;
  #last: LastContact | undefined;
  /** Server time at a monotonic time of this process. */
  #base: { readonly serverTimeMs: number; readonly atMs: number } | undefined;

  constructor(kept: LastContact | undefined, clock: ClientClock) {
    this.#clock = clock;
    this.#last = kept;
    const atMs = clock.nowMs();
    this.#base = kept && { serverTimeMs: serverTimeAtLeastMs(kept, clock.wallMs()), atMs };
    this.#countedFromMs = atMs;
  }

  #countedFromMs: number;

  observe(serverTimeMs: number): void {
    const atMs = this.#clock.nowMs();
    this.#last = recordContact(this.#last, serverTimeMs, this.#clock.wallMs());
    this.#base = { serverTimeMs: this.#last.serverTimeMs, atMs };
    this.#countedFromMs = atMs;
  }

  /** Estimated server time; the wall clock when no server has ever responded. */
  nowMs(): number {
    if (!this.#base) return this.#clock.wallMs();
    return this.#base.serverTimeMs + this.#clock.nowMs() - this.#base.atMs;
  }

  /** Returns the last contact for the state file, with the running time of this process since then. */
  toStored(): LastContact | undefined {
    return this.#last && addElapsed(this.#last, Math.max(0, Math.ceil(this.#clock.nowMs() - this.#countedFromMs)));
  }
}
