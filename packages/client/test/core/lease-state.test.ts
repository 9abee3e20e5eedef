import fc from 'fast-check';
import {
  grantedLease,
  isFinished,
  type LeaseInput,
  type LeaseMachineState,
  type LeaseState,
  restoredLease,
  step,
  wakeAtMs,
} from '../../src/core/lease-state';
import type { Grant } from '../../src/core/verdict';

const POLICY = { graceMs: 10_000, suspendAfterMs: 50_000 };
const TTL_MS = 3_000;
const INTERVAL_MS = 1_000;

const grantAt = (nowMs: number, more: Partial<Grant> = {}): Grant => ({
  leaseId: 'lease',
  licenseId: 'license',
  token: 'token',
  epoch: 1,
  servedBy: 'oregon/app-1',
  expiresInMs: TTL_MS,
  heartbeatInMs: INTERVAL_MS,
  sentAtMs: nowMs,
  serverTimeMs: undefined,
  policy: POLICY,
  borrowed: false,
  overdraft: false,
  ...more,
});

/** A lease in virtual time, with the events that its host received. */
class TestLease {
  nowMs = 0;
  lease: LeaseMachineState;
  readonly events: { atMs: number; kind: string }[] = [];
  readonly asked: { atMs: number; what: string }[] = [];

  constructor(more: Partial<Grant> = {}) {
    this.lease = grantedLease(grantAt(0, more), { nowMs: 0, random: 0 });
  }

  get state(): LeaseState {
    return this.lease.state;
  }

  get kinds(): string[] {
    return this.events.map(({ kind }) => kind);
  }

  apply(input: LeaseInput, random = 0): this {
    const { lease, events, ask } = step(this.lease, input, { nowMs: this.nowMs, random });
    this.lease = lease;
    this.events.push(...events.map(({ kind }) => ({ atMs: this.nowMs, kind })));
    if (ask) this.asked.push({ atMs: this.nowMs, what: ask });
    return this;
  }

  /** Advances time and wakes the lease whenever its timer is due. */
  pass(ms: number): this {
    const untilMs = this.nowMs + ms;
    for (;;) {
      const nextMs = wakeAtMs(this.lease, this.nowMs);
      if (nextMs === undefined || nextMs > untilMs) break;
      this.nowMs = Math.max(this.nowMs, nextMs);
      this.apply({ kind: 'time' });
    }
    this.nowMs = untilMs;
    return this;
  }

  renew(more: Partial<Grant> = {}): this {
    return this.apply({ kind: 'granted', grant: grantAt(this.nowMs, more) });
  }

  unanswered(retryInMs = 500): this {
    return this.apply({ kind: 'unanswered', reason: 'timeout', retryInMs });
  }
}

describe('a lease', () => {
  it('requests its renewal at the time set by the server, and not before', () => {
    const machine = new TestLease().pass(INTERVAL_MS - 1);
    expect(machine.asked).toEqual([]);
    machine.pass(1);
    expect(machine.asked).toEqual([{ atMs: INTERVAL_MS, what: 'heartbeat' }]);
  });

  it('delays its renewal by up to a tenth, so that leases spread out', () => {
    const late = grantedLease(grantAt(0), { nowMs: 0, random: 0.999 });
    expect(late.dueAtMs).toBeGreaterThan(INTERVAL_MS * 1.09);
    expect(late.dueAtMs).toBeLessThan(INTERVAL_MS * 1.1);
  });

  it('emits renewed after each renewal in time', () => {
    const machine = new TestLease().pass(1_000).renew().pass(1_000).renew();
    expect([machine.state, machine.kinds]).toEqual(['held', ['renewed', 'renewed']]);
  });

  it('without renewal passes grace, fail_safe and suspended, each reported once, and never ends', () => {
    const machine = new TestLease();
    for (let count = 0; count < 170; count += 1) machine.pass(600).unanswered(500);
    expect(machine.events).toEqual([
      { atMs: TTL_MS, kind: 'grace' },
      { atMs: POLICY.graceMs, kind: 'fail_safe' },
      { atMs: POLICY.suspendAfterMs, kind: 'suspended' },
    ]);
    expect(machine.state).toBe('suspended');
    expect(machine.asked.at(-1)?.atMs).toBeGreaterThan(99_000);
  });

  it('reports every stage that a machine slept through, in order', () => {
    const machine = new TestLease();
    machine.nowMs = 1_000_000;
    machine.apply({ kind: 'time' });
    expect(machine.kinds).toEqual(['grace', 'fail_safe', 'suspended']);
  });

  it.each([TTL_MS, POLICY.graceMs, POLICY.suspendAfterMs])(
    'is restored by a grant after %d ms without a response',
    (ms) => {
      const machine = new TestLease().pass(ms);
      expect(machine.state).not.toBe('held');
      machine.renew();
      expect([machine.state, machine.kinds.at(-1)]).toEqual(['held', 'restored']);
      machine.pass(1_000).renew();
      expect(machine.kinds.at(-1)).toBe('renewed');
    },
  );

  it.each(['lease_released', 'anything_else'])('is lost when a server ends it with %s', (code) => {
    const machine = new TestLease().pass(1_000).apply({ kind: 'ended', code });
    expect([machine.state, machine.kinds]).toEqual(['lost', ['lost']]);
  });

  it.each(['lease_expired', 'lease_not_found'])('is checked out again after it ended with %s', (code) => {
    const machine = new TestLease().pass(20_000).apply({ kind: 'ended', code });
    expect(machine.asked.at(-1)).toEqual({ atMs: 20_000, what: 'checkout' });
    expect(machine.state).toBe('fail_safe');
    machine.renew();
    expect([machine.state, machine.kinds.at(-1)]).toEqual(['held', 'restored']);
  });

  it('is lost with the first code when the new checkout finds no seat', () => {
    const events: unknown[] = [];
    let { lease } = new TestLease();
    for (const input of [
      { kind: 'ended', code: 'lease_expired' },
      { kind: 'unanswered', reason: 'timeout', retryInMs: 100 },
      { kind: 'ended', code: 'no_seat_available' },
    ] as const) {
      const next = step(lease, input, { nowMs: 20_000, random: 0 });
      lease = next.lease;
      events.push(...next.events);
    }
    expect(events.at(-1)).toEqual({ kind: 'lost', code: 'lease_expired' });
    expect(lease.state).toBe('lost');
  });

  it('is suspended without a grace when the license has ended, until a server renews it', () => {
    const lease = new TestLease();
    const ended = { kind: 'refused', code: 'license_not_valid', detail: '', retryInMs: 700 } as const;
    lease.nowMs = 1_000;
    expect(lease.apply(ended).state).toBe('held');
    lease.nowMs = TTL_MS;
    expect(lease.apply({ kind: 'time' }).state).toBe('suspended');
    expect(lease.apply({ kind: 'unanswered', reason: 'ECONNREFUSED', retryInMs: 700 }).state).toBe('suspended');
    expect(lease.apply({ ...ended, code: 'forbidden' }).state).toBe('suspended');
    expect(lease.kinds.filter((kind) => kind !== 'denied')).toEqual(['suspended']);
    expect(lease.apply({ kind: 'granted', grant: grantAt(TTL_MS) }).state).toBe('held');
    expect(lease.kinds.at(-1)).toBe('restored');
  });

  it('emits denied when it is refused, and retries', () => {
    const machine = new TestLease()
      .pass(1_000)
      .apply({ kind: 'refused', code: 'forbidden', detail: '', retryInMs: 700 });
    expect(machine.kinds).toEqual(['denied']);
    machine.pass(700);
    expect(machine.asked.at(-1)).toEqual({ atMs: 1_700, what: 'heartbeat' });
  });

  it('is renewed soon after a lost session, but not before the requested delay', () => {
    const machine = new TestLease({ expiresInMs: 60_000, heartbeatInMs: 20_000 }).pass(1_000);
    machine.apply({ kind: 'disconnected', notBeforeMs: 400, withinMs: 1_000 }, 0.5).pass(899);
    expect(machine.asked).toEqual([]);
    machine.pass(1);
    expect(machine.asked).toEqual([{ atMs: 1_900, what: 'heartbeat' }]);
  });

  it('ignores every input after its release', () => {
    const machine = new TestLease().pass(500).apply({ kind: 'released' }).pass(100_000).renew();
    expect([machine.state, machine.kinds, machine.asked]).toEqual(['released', ['released'], []]);
  });
});

describe('a borrowed lease', () => {
  it('sends no requests and ends when it expires', () => {
    const machine = new TestLease({ borrowed: true, expiresInMs: 500_000 }).pass(499_999);
    expect([machine.state, machine.kinds, machine.asked]).toEqual(['held', [], []]);
    machine.pass(1);
    expect([machine.state, machine.kinds]).toEqual(['lost', ['lost']]);
  });
});

describe('a restored lease', () => {
  const kept = { expiresAtMs: -5_000, confirmedAtMs: -8_000, policy: POLICY, borrowed: false };

  it('has the stage it would have without the restart', () => {
    expect(restoredLease(kept, { nowMs: 0, random: 0 }).state).toBe('grace');
    expect(restoredLease({ ...kept, confirmedAtMs: -20_000 }, { nowMs: 0, random: 0 }).state).toBe('fail_safe');
    expect(restoredLease({ ...kept, expiresAtMs: 1 }, { nowMs: 0, random: 0 }).state).toBe('held');
  });

  it('is renewed immediately', () => {
    const lease = restoredLease(kept, { nowMs: 0, random: 0 });
    expect(step(lease, { kind: 'time' }, { nowMs: 0, random: 0 }).ask).toBe('heartbeat');
  });
});

/** A deliberately simple twin: it keeps every renewal and computes the state of the lease from the list. */
class Twin {
  renewedAtMs = 0;
  over: 'lost' | 'released' | undefined;
  asksAnew = false;

  stateAt(nowMs: number): LeaseState {
    if (this.over) return this.over;
    const silentMs = nowMs - this.renewedAtMs;
    if (silentMs < TTL_MS) return 'held';
    if (silentMs >= POLICY.suspendAfterMs) return 'suspended';
    return silentMs >= POLICY.graceMs ? 'fail_safe' : 'grace';
  }

  take(action: Action, nowMs: number): void {
    if (this.over) return;
    switch (action.kind) {
      case 'renew':
        this.renewedAtMs = nowMs;
        this.asksAnew = false;
        break;
      case 'end':
        if (this.asksAnew || action.code === 'lease_released') this.over = 'lost';
        this.asksAnew = true;
        break;
      case 'release':
        this.over = 'released';
        break;
      default:
        break;
    }
  }
}

type Action =
  | { kind: 'pass'; ms: number }
  | { kind: 'renew' }
  | { kind: 'unanswered'; retryInMs: number }
  | { kind: 'refused'; retryInMs: number }
  | { kind: 'end'; code: string }
  | { kind: 'disconnect' }
  | { kind: 'release' };

const actions: fc.Arbitrary<Action> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.integer({ min: 0, max: 20_000 }) }) },
  { weight: 3, arbitrary: fc.constant({ kind: 'renew' as const }) },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('unanswered' as const), retryInMs: fc.integer({ min: 0, max: 5_000 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('refused' as const), retryInMs: fc.integer({ min: 0, max: 5_000 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('end' as const),
      code: fc.constantFrom('lease_expired', 'lease_not_found', 'lease_released'),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'disconnect' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'release' as const }) },
);

function act(machine: TestLease, action: Action): void {
  switch (action.kind) {
    case 'pass':
      machine.pass(action.ms);
      break;
    case 'renew':
      machine.renew();
      break;
    case 'unanswered':
      machine.unanswered(action.retryInMs);
      break;
    case 'refused':
      machine.apply({ kind: 'refused', code: 'forbidden', detail: '', retryInMs: action.retryInMs });
      break;
    case 'end':
      machine.apply({ kind: 'ended', code: action.code });
      break;
    case 'disconnect':
      machine.apply({ kind: 'disconnected', notBeforeMs: 0, withinMs: 1_000 });
      break;
    case 'release':
      machine.apply({ kind: 'released' });
      break;
  }
}

describe('a lease with random inputs', () => {
  const runs = fc.array(actions, { maxLength: 80 });

  it('matches a simple reference model', () => {
    fc.assert(
      fc.property(runs, (run) => {
        const [machine, twin] = [new TestLease(), new Twin()];
        for (const action of run) {
          act(machine, action);
          twin.take(action, machine.nowMs);
          expect(machine.state).toBe(twin.stateAt(machine.nowMs));
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it('emits a consistent sequence of events', () => {
    const MAY_FOLLOW: Readonly<Record<string, readonly string[]>> = {
      held: ['renewed', 'restored', 'grace', 'lost', 'released', 'denied'],
      grace: ['fail_safe', 'restored', 'lost', 'released', 'denied'],
      fail_safe: ['suspended', 'restored', 'lost', 'released', 'denied'],
      suspended: ['restored', 'lost', 'released', 'denied'],
      over: [],
    };
    const LEADS_TO: Readonly<Record<string, string>> = {
      renewed: 'held',
      restored: 'held',
      grace: 'grace',
      fail_safe: 'fail_safe',
      suspended: 'suspended',
      lost: 'over',
      released: 'over',
    };
    fc.assert(
      fc.property(runs, (run) => {
        const machine = new TestLease();
        for (const action of run) act(machine, action);
        let chapter = 'held';
        for (const { kind } of machine.events) {
          expect(MAY_FOLLOW[chapter]).toContain(kind);
          chapter = LEADS_TO[kind] ?? chapter;
        }
        const state = isFinished(machine.lease) ? 'over' : machine.state;
        expect(chapter).toBe(state);
      }),
      { numRuns: 2_000 },
    );
  });

  it('always has a due or pending request until it is finished', () => {
    fc.assert(
      fc.property(runs, (run) => {
        const machine = new TestLease();
        let find = false;
        for (const action of run) {
          const before = machine.asked.length;
          act(machine, action);
          const settled = ['renew', 'unanswered', 'refused', 'end'].includes(action.kind);
          find = machine.asked.length > before || (find && !settled);
          const waits = machine.lease.dueAtMs !== undefined;
          expect(isFinished(machine.lease) ? waits : !(find || waits)).toBe(false);
        }
      }),
      { numRuns: 2_000 },
    );
  });
});
