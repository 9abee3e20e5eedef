import { livenessProblem } from './checkers/liveness-checker';
import type { SimulationContext } from './context';

/** Time without activity before idle time is skipped; longer than the time-out of a broken replication stream. */
const CALM_MS = 40_000;
/** Time before a fault that is not skipped, so that every proof, probe and sample is renewed as without skipping. */
const LEAD_MS = 20_000;
/** Time after a customer's call in which the servers finish their follow-up work. */
const FOLLOW_UP_MS = 200;
const CHECK_AGAIN_MS = 5_000;

/**
 * Skips idle time: no fault is active, no operation is in progress, nothing is lost or pending, and no request is in
 * flight. Servers, controllers and witness would only repeat their routine with the same result, so skipped time does
 * not count for them. It counts for leases, customers, wall clocks and faults.
 */
export class FastForward {
  readonly #context: SimulationContext;
  readonly #faultsAtMs: readonly number[];
  #activityAtActiveMs = 0;
  #disabled = false;

  constructor(context: SimulationContext) {
    this.#context = context;
    this.#faultsAtMs = context.scenario.faults.map(({ when }) => when.atMs).sort((one, other) => one - other);
    if (context.scenario.skipsIdleTime) context.virtualClock.skipTo = (untilMs) => this.#skipTo(untilMs);
  }

  /** Restarts the calm period. */
  noteActivity(): void {
    this.#activityAtActiveMs = this.#context.virtualClock.elapsedActiveMs;
  }

  /** No time is skipped from now on. */
  disable(): void {
    this.#disabled = true;
  }

  #skipTo(untilMs: number): number {
    const { nowMs, elapsedActiveMs } = this.#context.virtualClock;
    const { busyAtActiveMs } = this.#context.network;
    const isCalm =
      elapsedActiveMs - this.#activityAtActiveMs >= CALM_MS && elapsedActiveMs - busyAtActiveMs >= FOLLOW_UP_MS;
    if (this.#disabled || !isCalm) return nowMs;
    const faultAtMs = this.#faultsAtMs.find((atMs) => atMs >= nowMs) ?? Number.POSITIVE_INFINITY;
    const toMs = Math.min(untilMs, faultAtMs - LEAD_MS);
    if (toMs <= nowMs || this.#context.hosts.some(({ pendingRequests }) => pendingRequests > 0)) return nowMs;
    if (this.#isIdle) return toMs;
    this.#activityAtActiveMs = elapsedActiveMs - CALM_MS + CHECK_AGAIN_MS;
    return nowMs;
  }

  get #isIdle(): boolean {
    const { calmSinceMs, authorityStore } = this.#context;
    const hasRequest = authorityStore.control.request !== undefined;
    return Number.isFinite(calmSinceMs) && !hasRequest && livenessProblem(this.#context) === undefined;
  }
}
