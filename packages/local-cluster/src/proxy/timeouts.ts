import type { Profile } from '../profiles';

/**
 * How long the proxies wait. Each waits shorter than whoever asks it: a server's answer fits into the router's deadline,
 * the router's into the edge's, and an answer to `/livez` into the controller's application probe (2000 | 500 ms).
 */

export interface RouterTimeouts {
  readonly probeEveryMs: number;
  readonly probeTimeoutMs: number;
  readonly connectTimeoutMs: number;
  /** For one try at one server. */
  readonly attemptTimeoutMs: number;
  /** For all tries of one request. */
  readonly totalTimeoutMs: number;
  /** For `GET /livez` through the router. */
  readonly livezTimeoutMs: number;
}

export const ROUTER_TIMEOUTS: Readonly<Record<Profile, RouterTimeouts>> = {
  default: {
    probeEveryMs: 1_000,
    probeTimeoutMs: 1_000,
    connectTimeoutMs: 1_000,
    attemptTimeoutMs: 2_500,
    totalTimeoutMs: 5_000,
    livezTimeoutMs: 1_500,
  },
  fast: {
    probeEveryMs: 250,
    probeTimeoutMs: 400,
    connectTimeoutMs: 400,
    attemptTimeoutMs: 1_000,
    totalTimeoutMs: 1_800,
    livezTimeoutMs: 400,
  },
};

export interface EdgeTimeouts {
  readonly connectTimeoutMs: number;
  /** For one request, whatever is tried for it. */
  readonly totalTimeoutMs: number;
}

export const EDGE_TIMEOUTS: Readonly<Record<Profile, EdgeTimeouts>> = {
  default: { connectTimeoutMs: 1_000, totalTimeoutMs: 6_000 },
  fast: { connectTimeoutMs: 400, totalTimeoutMs: 2_000 },
};

export interface WitnessTimeouts {
  readonly probeEveryMs: number;
  readonly probeTimeoutMs: number;
}

export const WITNESS_TIMEOUTS: Readonly<Record<Profile, WitnessTimeouts>> = {
  default: { probeEveryMs: 1_000, probeTimeoutMs: 2_000 },
  fast: { probeEveryMs: 250, probeTimeoutMs: 500 },
};
