import type { Profile } from '../profiles';

/**
 * Timeouts of the proxies. Each is shorter than its caller's: server < router < edge < client (10 s by default), and
 * `/livez` through the router is shorter than the controller's application probe (2000 or 500 ms). The profile changes
 * only how often and how long servers are probed, because a server's own limits are the same in both profiles.
 */

/**
 * The longest time a server takes to answer: a database statement (2.5 s), then the wait for the follower's
 * acknowledgement (5 s), which ends in 503 `not_protected`. test/proxy/timeouts.test.ts compares it with the server.
 */
export const SERVER_ANSWER_MAX_MS = 7_500;

export interface RouterTimeouts {
  readonly probeEveryMs: number;
  readonly probeTimeoutMs: number;
  readonly connectTimeoutMs: number;
  /** For one attempt at one server. A server that the probes find down during the attempt is given up earlier. */
  readonly attemptTimeoutMs: number;
  /** For all attempts of one request. */
  readonly totalTimeoutMs: number;
  /** For `GET /livez` through the router. */
  readonly livezTimeoutMs: number;
}

const ROUTER_REQUEST_TIMEOUTS = { attemptTimeoutMs: 8_000, totalTimeoutMs: 8_500 };

export const ROUTER_TIMEOUTS: Readonly<Record<Profile, RouterTimeouts>> = {
  default: {
    ...ROUTER_REQUEST_TIMEOUTS,
    probeEveryMs: 1_000,
    probeTimeoutMs: 1_000,
    connectTimeoutMs: 1_000,
    livezTimeoutMs: 1_500,
  },
  fast: {
    ...ROUTER_REQUEST_TIMEOUTS,
    probeEveryMs: 250,
    probeTimeoutMs: 400,
    connectTimeoutMs: 400,
    livezTimeoutMs: 400,
  },
};

export interface EdgeTimeouts {
  readonly connectTimeoutMs: number;
  /** For all attempts of one request. */
  readonly totalTimeoutMs: number;
}

export const EDGE_TIMEOUTS: Readonly<Record<Profile, EdgeTimeouts>> = {
  default: { connectTimeoutMs: 1_000, totalTimeoutMs: 9_000 },
  fast: { connectTimeoutMs: 400, totalTimeoutMs: 9_000 },
};

export interface WitnessTimeouts {
  readonly probeEveryMs: number;
  readonly probeTimeoutMs: number;
}

export const WITNESS_TIMEOUTS: Readonly<Record<Profile, WitnessTimeouts>> = {
  default: { probeEveryMs: 1_000, probeTimeoutMs: 2_000 },
  fast: { probeEveryMs: 250, probeTimeoutMs: 500 },
};
