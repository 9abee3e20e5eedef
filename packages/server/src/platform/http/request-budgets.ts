import type { Caller } from '../../auth/core/caller';
import type { RateLimitPolicy } from '../../config/security';

const WINDOW_MS = 60_000;
/** How many callers are counted at once. The caller whose window began first is dropped first. */
const COUNTED_MAX = 100_000;

export type BudgetName = 'control_room' | 'token';

export interface BudgetState {
  readonly name: BudgetName;
  readonly max: number;
  readonly remaining: number;
  /** Seconds until the budget is full again. */
  readonly resetSeconds: number;
  readonly exceeded: boolean;
}

/** Callers share a budget when they share a Control Room, and otherwise when they use the same token. */
export function budgetKeyOf({ controlRoom, name }: Pick<Caller, 'controlRoom' | 'name'>): string {
  return controlRoom === undefined ? `token ${name}` : `room ${controlRoom}`;
}

/**
 * What each caller may request in a minute, over HTTP and over all its sessions together. A call costs one unit for each
 * lease that it may touch.
 */
export class RequestBudgets {
  readonly #policy: Pick<RateLimitPolicy, 'perControlRoom' | 'perToken'>;
  readonly #nowMs: () => number;
  readonly #windows = new Map<string, { used: number; readonly endsAtMs: number }>();

  /** `nowMs` is a monotonic clock. */
  constructor(policy: Pick<RateLimitPolicy, 'perControlRoom' | 'perToken'>, nowMs: () => number) {
    this.#policy = policy;
    this.#nowMs = nowMs;
  }

  charge(caller: Pick<Caller, 'controlRoom' | 'name'>, units: number): BudgetState {
    const name = caller.controlRoom === undefined ? 'token' : 'control_room';
    const max = name === 'token' ? this.#policy.perToken : this.#policy.perControlRoom;
    const nowMs = this.#nowMs();
    const window = this.#windowOf(budgetKeyOf(caller), nowMs);
    window.used += units;
    return {
      name,
      max,
      remaining: Math.max(0, max - window.used),
      resetSeconds: Math.max(1, Math.ceil((window.endsAtMs - nowMs) / 1_000)),
      exceeded: window.used > max,
    };
  }

  #windowOf(key: string, nowMs: number): { used: number; readonly endsAtMs: number } {
    const present = this.#windows.get(key);
    if (present && present.endsAtMs > nowMs) return present;
    // Deleted first, so that the insertion order is the order of the windows.
    this.#windows.delete(key);
    const window = { used: 0, endsAtMs: nowMs + WINDOW_MS };
    this.#windows.set(key, window);
    const [oldest] = this.#windows.keys();
    if (this.#windows.size > COUNTED_MAX && oldest !== undefined) this.#windows.delete(oldest);
    return window;
  }
}
