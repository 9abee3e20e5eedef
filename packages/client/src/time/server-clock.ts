import { addElapsed, type LastContact, recordContact, serverTimeAtLeastMs } from '../core/elapsed';
import type { ClientClock } from './clock';

/** When the servers were heard last, and what their clock must say now. */
export class ServerClock {
  readonly #clock: ClientClock;
  #last: LastContact | undefined;
  /** What their clock said at a moment of ours. */
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

  /** This machine's own clock when no server was ever heard. */
  nowMs(): number {
    if (!this.#base) return this.#clock.wallMs();
    return this.#base.serverTimeMs + this.#clock.nowMs() - this.#base.atMs;
  }

  /** To be kept: with the time that this process has run since. */
  toStored(): LastContact | undefined {
    return this.#last && addElapsed(this.#last, Math.max(0, Math.ceil(this.#clock.nowMs() - this.#countedFromMs)));
  }
}
