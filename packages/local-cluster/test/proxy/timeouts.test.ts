import { ACKNOWLEDGED_WITHIN_MS } from '@evergrant/server/epochs/acknowledgement-gate';
import { TIME_LIMITS } from '@evergrant/server/platform/postgres/connection';
import { PROFILE_DURATIONS, PROFILES } from '../../src/profiles';
import { EDGE_TIMEOUTS, ROUTER_TIMEOUTS, SERVER_ANSWER_MAX_MS } from '../../src/proxy/timeouts';

/** Default of the client's option requestTimeoutMs. */
const CLIENT_TIMEOUT_MS = 10_000;

describe('proxy timeouts', () => {
  it('know how long a server can take to answer', () => {
    expect(SERVER_ANSWER_MAX_MS).toBe(TIME_LIMITS.query_timeout + ACKNOWLEDGED_WITHIN_MS);
  });

  it.each(PROFILES)('are longer than the answer they wait for, in the profile %s', (profile) => {
    const router = ROUTER_TIMEOUTS[profile];
    const edge = EDGE_TIMEOUTS[profile];
    expect(router.attemptTimeoutMs).toBeGreaterThan(SERVER_ANSWER_MAX_MS);
    expect(router.totalTimeoutMs).toBeGreaterThan(router.attemptTimeoutMs);
    expect(edge.totalTimeoutMs).toBeGreaterThan(router.totalTimeoutMs);
    expect(CLIENT_TIMEOUT_MS).toBeGreaterThan(edge.totalTimeoutMs);
    expect(PROFILE_DURATIONS[profile].appProbeTimeoutMs).toBeGreaterThan(router.livezTimeoutMs);
  });
});
