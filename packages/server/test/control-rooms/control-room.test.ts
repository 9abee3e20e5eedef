import fc from 'fast-check';
import type { ControlRoomState } from '../../src/auth/core/caller';
import {
  heartbeatAfterSeconds,
  recordedEveryMs,
  STATE_TRANSITIONS,
  type StateFacts,
  statePolicy,
  stateVerdict,
} from '../../src/control-rooms/core/state-policy';

const HOUR_MS = 3_600_000;
const POLICY = statePolicy({ graceSeconds: 48 * 3_600, suspendAfterSeconds: 720 * 3_600 });
const STATES: readonly ControlRoomState[] = ['active', 'fail_safe', 'suspended'];

const facts = (state: ControlRoomState, changes: Partial<StateFacts> = {}): StateFacts => ({
  state,
  silentMs: 0,
  oversubscribedMs: undefined,
  stateReason: 'no_heartbeat',
  ...changes,
});

describe('stateVerdict', () => {
  it.each<[string, StateFacts, object]>([
    ['keeps a Control Room with a recent heartbeat active', facts('active'), { kind: 'unchanged' }],
    [
      'keeps a Control Room active until the end of the grace',
      facts('active', { silentMs: 48 * HOUR_MS - 1 }),
      { kind: 'unchanged' },
    ],
    [
      'makes a Control Room fail-safe after its grace',
      facts('active', { silentMs: 48 * HOUR_MS }),
      { kind: 'changed', to: 'fail_safe', reason: 'no_heartbeat' },
    ],
    [
      'makes a Control Room fail-safe before it is suspended',
      facts('active', { silentMs: 9_999 * HOUR_MS }),
      { kind: 'changed', to: 'fail_safe', reason: 'no_heartbeat' },
    ],
    ['keeps a silent Control Room fail-safe', facts('fail_safe', { silentMs: 100 * HOUR_MS }), { kind: 'unchanged' }],
    [
      'suspends a Control Room that is silent for too long',
      facts('fail_safe', { silentMs: 720 * HOUR_MS }),
      { kind: 'changed', to: 'suspended', reason: 'no_heartbeat' },
    ],
    [
      'reactivates a fail-safe Control Room after a heartbeat',
      facts('fail_safe'),
      { kind: 'changed', to: 'active', reason: 'heard_again' },
    ],
    [
      'reactivates a suspended Control Room after a heartbeat',
      facts('suspended'),
      { kind: 'changed', to: 'active', reason: 'heard_again' },
    ],
    [
      'makes an oversubscribed Control Room fail-safe despite heartbeats',
      facts('active', { oversubscribedMs: 48 * HOUR_MS }),
      { kind: 'changed', to: 'fail_safe', reason: 'oversubscribed' },
    ],
    [
      'makes a suspended Control Room fail-safe when only oversubscription remains',
      facts('suspended', { oversubscribedMs: 50 * HOUR_MS }),
      { kind: 'changed', to: 'fail_safe', reason: 'oversubscribed' },
    ],
    [
      'reactivates a Control Room that released its seats',
      facts('fail_safe', { stateReason: 'oversubscribed' }),
      { kind: 'changed', to: 'active', reason: 'within_seats_again' },
    ],
    [
      'keeps a recently oversubscribed Control Room active',
      facts('active', { oversubscribedMs: 1 }),
      { kind: 'unchanged' },
    ],
  ])('%s', (_what, seen, verdict) => {
    expect(stateVerdict(seen, POLICY)).toEqual(verdict);
  });
});

const anyFacts = fc.record({
  state: fc.constantFrom(...STATES),
  silentMs: fc.integer({ min: 0, max: 1_000 * HOUR_MS }),
  oversubscribedMs: fc.option(fc.integer({ min: 0, max: 1_000 * HOUR_MS }), { nil: undefined }),
  stateReason: fc.constantFrom('registered', 'no_heartbeat', 'oversubscribed'),
});

/** The steps that follow while the facts stay as they are. */
function pathOf(seen: StateFacts): ControlRoomState[] {
  const path: ControlRoomState[] = [];
  while (path.length < 10) {
    const verdict = stateVerdict({ ...seen, state: path.at(-1) ?? seen.state }, POLICY);
    if (verdict.kind === 'unchanged') break;
    path.push(verdict.to);
  }
  return path;
}

function restingState(lastingMs: number): ControlRoomState {
  if (lastingMs < POLICY.graceMs) return 'active';
  return lastingMs < POLICY.suspendAfterMs ? 'fail_safe' : 'suspended';
}

describe('STATE_TRANSITIONS', () => {
  it('uses every row and reaches every state', () => {
    const used = new Set<string>();
    fc.assert(
      fc.property(anyFacts, (seen) => {
        const verdict = stateVerdict(seen, POLICY);
        if (verdict.kind === 'changed') used.add(`${seen.state} ${verdict.to}`);
      }),
      { numRuns: 3_000, seed: 1 },
    );
    expect(used).toEqual(new Set(STATE_TRANSITIONS.map(({ from, to }) => `${from} ${to}`)));
    expect(new Set(STATE_TRANSITIONS.map(({ to }) => to))).toEqual(new Set(STATES));
  });

  it('has at most one row per situation', () => {
    const situations = STATE_TRANSITIONS.map(({ from, on }) => `${from} ${on}`);
    expect(new Set(situations).size).toBe(situations.length);
  });

  it('reaches a stable state within two steps', () => {
    fc.assert(
      fc.property(anyFacts, (seen) => {
        const path = pathOf(seen);
        expect(path.length).toBeLessThanOrEqual(2);
        const state = path.at(-1) ?? seen.state;
        expect(state).toBe(restingState(Math.max(seen.silentMs, seen.oversubscribedMs ?? 0)));
        // Nobody is suspended who was not fail-safe before.
        if (seen.state === 'active' && state === 'suspended') expect(path).toEqual(['fail_safe', 'suspended']);
      }),
    );
  });
});

describe('intervals', () => {
  it('the grace is never shorter than the heartbeat interval', () => {
    for (const graceSeconds of [0, 1, 3, 10, 60, 600, 172_800]) {
      const { graceMs } = statePolicy({ graceSeconds, suspendAfterSeconds: 0 });
      expect(recordedEveryMs(graceSeconds)).toBeLessThanOrEqual(graceMs / 3);
      expect(recordedEveryMs(graceSeconds) + heartbeatAfterSeconds(graceSeconds) * 1_000).toBeLessThan(graceMs);
    }
  });

  it('heartbeats are recorded at most once a minute and at least once a second', () => {
    expect(recordedEveryMs(172_800)).toBe(60_000);
    expect(recordedEveryMs(0)).toBe(1_000);
    expect(heartbeatAfterSeconds(172_800)).toBe(300);
  });

  it('suspension never precedes the end of the grace', () => {
    expect(statePolicy({ graceSeconds: 600, suspendAfterSeconds: 60 })).toEqual({
      graceMs: 600_000,
      suspendAfterMs: 600_000,
    });
  });
});
