import { compareLsn, lsnDistanceBytes } from '@evergrant/core/lsn';
import { POLICY } from '@evergrant/test-support/controller/memory-world';
import {
  authority,
  fact,
  follower,
  hearing,
  NOW_MS,
  operation,
  primary,
} from '@evergrant/test-support/controller/situations';
import { authorityHolder, lapsedAtMs } from '../../src/core/advance';
import { renewalFact } from '../../src/core/authority';
import { databaseFact, followerFact, promotableFact } from '../../src/core/database-view';
import {
  lastSignOfLifeAtMs,
  type Observation,
  receivedLsn,
  receiverAbsentSinceMs,
  standbyFact,
} from '../../src/core/observation';
import { NO_EVIDENCE } from '../../src/core/operations';

describe('reading of the primary database', () => {
  it.each([
    [primary(), 'up'],
    [{ kind: 'busy', reason: 'too many connections' } as const, 'up'],
    [{ kind: 'unreachable', reason: 'refused' } as const, 'down'],
    [{ kind: 'unknown', reason: 'our password is wrong' } as const, 'unknown'],
    [follower(), 'unknown'],
  ])('%j is %s', (view, reading) => {
    expect(databaseFact(view).reading).toBe(reading);
  });
});

describe("the follower's veto", () => {
  it.each([
    ['receives from it now', follower({ receiver: hearing(100) }), 'up'],
    ['has received nothing for too long', follower({ receiver: hearing(POLICY.followerSilentAfterMs + 1) }), 'down'],
    ['has no connection', follower({ receiver: undefined }), 'down'],
    ['hides its connection', follower({ receiver: { status: undefined, lastMessageAtMs: undefined } }), 'unknown'],
    ['is only trying to connect', follower({ receiver: { status: 'starting', lastMessageAtMs: NOW_MS } }), 'down'],
    [
      'streams without a known start',
      follower({ receiver: { status: 'streaming', lastMessageAtMs: undefined } }),
      'unknown',
    ],
    ['is a primary itself', primary(), 'unknown'],
    ['cannot be reached', { kind: 'unreachable', reason: 'refused' } as const, 'unknown'],
  ])('%s', (_what, view, reading) => {
    expect(followerFact(view, POLICY).reading).toBe(reading);
  });

  it("is measured on the follower's own clock", () => {
    const ahead = follower({
      serverNowMs: NOW_MS + 3_600_000,
      receiver: { status: 'streaming', lastMessageAtMs: NOW_MS + 3_599_900 },
    });
    expect(followerFact(ahead, POLICY).reading).toBe('up');
  });
});

describe('readiness gate', () => {
  it.each([
    ['up', follower(), 'up'],
    ['down', follower(), 'down'],
    ['unknown', follower(), 'unknown'],
    ['up', follower({ replayPaused: true }), 'down'],
    ['up', primary(), 'down'],
    ['up', { kind: 'unreachable', reason: 'refused' } as const, 'down'],
    ['up', { kind: 'unknown', reason: 'our password is wrong' } as const, 'unknown'],
  ] as const)('servers %s, follower %j: %s', (app, view, reading) => {
    expect(standbyFact(fact(app), promotableFact(view)).reading).toBe(reading);
  });
});

describe('signs of life', () => {
  const observation = (changes: Partial<Observation>): Observation => ({
    activeRegion: 'oregon',
    authority: authority({ renewedAtMs: undefined }),
    app: fact('down'),
    database: { kind: 'unreachable', reason: '' },
    witness: fact('down'),
    standbyApp: fact('up'),
    follower: follower(),
    atMs: NOW_MS,
    seenAtMs: NOW_MS,
    outside: { kind: 'not_granting', reason: '' },
    ...changes,
  });

  it('include a renewal within the authority lease, and not an older one', () => {
    expect(renewalFact(authority({ renewedAtMs: NOW_MS - POLICY.authorityLeaseMs }), POLICY).reading).toBe('up');
    expect(renewalFact(authority({ renewedAtMs: NOW_MS - POLICY.authorityLeaseMs - 1 }), POLICY).reading).toBe('down');
    expect(renewalFact(authority({ renewedAtMs: undefined }), POLICY).reading).toBe('down');
  });

  it("are dated by their age, independent of the writer's clock", () => {
    const ahead = authority({ renewedAtMs: NOW_MS + 9_000, readAtMs: NOW_MS + 10_000 });
    expect(lastSignOfLifeAtMs(observation({ authority: ahead }), '0/1000')).toBe(NOW_MS - 1_000);
    const heard = follower({ serverNowMs: 500, receiver: { status: 'streaming', lastMessageAtMs: 300 } });
    expect(lastSignOfLifeAtMs(observation({ follower: heard }), '0/1000')).toBe(NOW_MS - 200);
    expect(lastSignOfLifeAtMs(observation({}), '0/1000')).toBeUndefined();
  });

  it('include a moved position of the follower, connected or not', () => {
    expect(lastSignOfLifeAtMs(observation({ follower: follower({ receivedLsn: '0/1001' }) }), '0/1000')).toBe(NOW_MS);
    expect(
      lastSignOfLifeAtMs(observation({ follower: follower({ receivedLsn: undefined }) }), '0/1000'),
    ).toBeUndefined();
    expect(lastSignOfLifeAtMs(observation({ follower: primary() }), '0/1000')).toBeUndefined();
  });

  it("keep the start of the follower's absence, and drop it when the connection is unknown", () => {
    const since = (atMs: number | undefined) => ({ receiverAbsentSinceMs: atMs, receivedLsn: '0/1000' });
    expect(receiverAbsentSinceMs(since(undefined), follower(), 7)).toBe(7);
    expect(receiverAbsentSinceMs(since(3), follower(), 7)).toBe(3);
    expect(receiverAbsentSinceMs(since(3), follower({ receiver: hearing() }), 7)).toBeUndefined();
    expect(receiverAbsentSinceMs(since(3), { kind: 'unreachable', reason: '' }, 7)).toBeUndefined();
  });

  it('restart the absence when the follower received data, or may have', () => {
    const last = { receiverAbsentSinceMs: 3, receivedLsn: '0/1000' };
    expect(receiverAbsentSinceMs(last, follower({ receivedLsn: '0/1001' }), 7)).toBe(7);
    expect(receiverAbsentSinceMs(last, follower({ receivedLsn: undefined }), 7)).toBe(3);
    expect(receiverAbsentSinceMs({ ...last, receivedLsn: undefined }, follower(), 7)).toBe(7);
  });

  it('keep the last position while the follower is unknown', () => {
    expect(receivedLsn('0/1000', follower({ receivedLsn: '0/1001' }))).toBe('0/1001');
    expect(receivedLsn('0/1000', follower({ receivedLsn: undefined }))).toBe('0/1000');
    expect(receivedLsn('0/1000', { kind: 'unreachable', reason: '' })).toBe('0/1000');
  });
});

describe('expiry of every proof of the old epoch (S4, S5)', () => {
  const waitMs = POLICY.authorityLeaseMs + POLICY.skewMs;
  const latched = authority({ epoch: 2, region: 'virginia', operationId: 'op', renewedAtMs: NOW_MS - 60_000 });
  const at = (evidence: Partial<typeof NO_EVIDENCE>, view = latched): number =>
    lapsedAtMs(operation('failover', { evidence: { ...NO_EVIDENCE, ...evidence } }), view, POLICY, NOW_MS) - NOW_MS;

  it('is a past time when the last renewal was long ago', () => {
    expect(at({ receiverAbsentSinceMs: NOW_MS - 60_000, promotedAtMs: NOW_MS - 50 })).toBe(waitMs - 60_000);
  });

  it('is one authority lease and the skew after the last renewal', () => {
    const renewed = { ...latched, renewedAtMs: NOW_MS - 1_000 };
    expect(at({ receiverAbsentSinceMs: NOW_MS - 60_000 }, renewed)).toBe(waitMs - 1_000);
  });

  it('is as long after the follower lost its connection', () => {
    expect(at({ receiverAbsentSinceMs: NOW_MS - 2_000 })).toBe(waitMs - 2_000);
  });

  it('is as long after the promotion, when the follower was connected until then', () => {
    expect(at({ promotedAtMs: NOW_MS - 200 })).toBe(waitMs - 200);
    expect(at({})).toBe(waitMs);
  });

  it('is immediate when the old epoch is closed in its own database', () => {
    expect(at({ originClosedAtMs: NOW_MS - 10 }, { ...latched, renewedAtMs: NOW_MS })).toBe(0);
  });

  it('is immediate when the region that lost the epoch gets the next one', () => {
    const reopening = operation('reopen');
    expect(lapsedAtMs(reopening, { ...latched, renewedAtMs: NOW_MS }, POLICY, NOW_MS)).toBe(NOW_MS);
  });
});

describe('owner of the authority', () => {
  const failover = operation('failover');
  it.each([
    [authority(), 'origin'],
    [authority({ epoch: 2, region: 'virginia', operationId: 'op' }), 'ours'],
    [authority({ epoch: 2, region: 'virginia', operationId: 'another' }), 'other'],
    [authority({ epoch: 3, region: 'virginia', operationId: 'op' }), 'other'],
    [authority({ epoch: 1, region: 'virginia' }), 'other'],
  ])('%j', (view, verdictState) => {
    expect(authorityHolder(failover, view)).toBe(verdictState);
  });
});

describe('positions in the write-ahead log', () => {
  it('are ordered as numbers, not as text', () => {
    expect(compareLsn('0/9', '0/10')).toBeLessThan(0);
    expect(compareLsn('1/0', '0/FFFFFFFF')).toBeGreaterThan(0);
    expect(compareLsn('A/1b', 'A/1B')).toBe(0);
    expect(lsnDistanceBytes('0/FFFFFFFF', '1/0')).toBe(1);
  });

  it('are refused when invalid', () => {
    expect(() => compareLsn('0/1', 'nonsense')).toThrow('nonsense');
  });
});
