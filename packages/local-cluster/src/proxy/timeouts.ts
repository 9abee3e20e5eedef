import type { Profile } from '../profiles';

/**
 * How long the proxies wait. Each waits shorter than whoever asks it: a server's answer fits into the router's deadline,
 * the router's into the edge's, and an answer to `/livez` into the controller's application probe (2000 | 500 ms).
 */

export interface RouterDurations {
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

export const ROUTER_DURATIONS: Readonly<Record<Profile, RouterDurations>> = {
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

export interface EdgeDurations {
  readonly connectTimeoutMs: number;
  /** For one request, whatever is tried for it. */
  readonly totalTimeoutMs: number;
}

export const EDGE_DURATIONS: Readonly<Record<Profile, EdgeDurations>> = {
  default: { connectTimeoutMs: 1_000, totalTimeoutMs: 6_000 },
  fast: { connectTimeoutMs: 400, totalTimeoutMs: 2_000 },
};

export interface WitnessDurations {
  readonly probeEveryMs: number;
  readonly probeTimeoutMs: number;
}

export const WITNESS_DURATIONS: Readonly<Record<Profile, WitnessDurations>> = {
  default: { probeEveryMs: 1_000, probeTimeoutMs: 2_000 },
  fast: { probeEveryMs: 250, probeTimeoutMs: 500 },
};
