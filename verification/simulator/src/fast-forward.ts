import { unsettled } from './checkers/liveness-checker';
import type { World } from './world';

/** So long nothing must have happened: even an end of a broken stream, which waits longest, has noticed whatever did. */
const CALM_MS = 40_000;
/** Before a fault time is lived through again: every proof, look and sample has been renewed, as it is without any leap. */
const LEAD_MS = 20_000;
/** After a customer's call the servers finish what follows from it. */
const BREATH_MS = 200;
const LOOK_AGAIN_MS = 5_000;

/**
 * Quiet times: no fault, no operation, nothing lost or owed, nobody asks. What servers, controllers and witness do then
 * they do again and again with the same result; the time until something else is due is leapt over. For them it does not
 * pass, so each takes up where it was; for leases, customers, clocks of day and faults it does.
 */
export class Lull {
  readonly #world: World;
  readonly #faultsAtMs: readonly number[];
  #stirredAtLivedMs = 0;
  #over = false;

  constructor(world: World) {
    this.#world = world;
    this.#faultsAtMs = world.scenario.faults.map(({ when }) => when.atMs).sort((one, other) => one - other);
    if (world.scenario.leaps) world.clockwork.leapTo = (untilMs) => this.#leapTo(untilMs);
  }

  /** Something has happened that is not always so. */
  stir(): void {
    this.#stirredAtLivedMs = this.#world.clockwork.livedMs;
  }

  /** From here all time is lived through. */
  end(): void {
    this.#over = true;
  }

  #leapTo(untilMs: number): number {
    const { nowMs, livedMs } = this.#world.clockwork;
    const busyAtLivedMs = this.#world.network.busyAtLivedMs;
    if (this.#over || livedMs - this.#stirredAtLivedMs < CALM_MS || livedMs - busyAtLivedMs < BREATH_MS) return nowMs;
    const faultAtMs = this.#faultsAtMs.find((atMs) => atMs >= nowMs) ?? Number.POSITIVE_INFINITY;
    const toMs = Math.min(untilMs, faultAtMs - LEAD_MS);
    if (toMs <= nowMs || this.#world.hosts.some(({ asking }) => asking > 0)) return nowMs;
    if (this.#isQuiet) return toMs;
    this.#stirredAtLivedMs = livedMs - CALM_MS + LOOK_AGAIN_MS;
    return nowMs;
  }

  get #isQuiet(): boolean {
    const { calmSinceMs, ohio } = this.#world;
    return Number.isFinite(calmSinceMs) && ohio.control.request === null && unsettled(this.#world) === undefined;
  }
}
