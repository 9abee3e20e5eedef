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
import { classify } from '../../src/core/classify';
import { NO_EVIDENCE, type Operation, PHASES_OF, type Phase } from '../../src/core/operations';
import type { Sights } from '../../src/core/phase-views';
import { TRANSITIONS, transitionFor } from '../../src/core/transitions';
import { ACTS } from '../../src/phase-effects';

const gone = { kind: 'unreachable', because: 'connection refused' } as const;
const noAnswer = { kind: 'unreachable', because: 'no answer' } as const;
const closed = primary({ epoch: { epoch: 1, region: 'oregon', closed: true } });
const lateMs = NOW_MS - POLICY.drainMaxMs - 1;
const longAgoMs = NOW_MS - POLICY.sampleGapMaxMs - 1;
const late = operation('failover', { phaseSinceMs: lateMs });
const notFencedSince = (sinceMs: number): Operation => {
  const stuck = { observed: 'not-fenced', because: 'refused', sinceMs, alertedAtMs: null };
  return operation('failover', { phase: 'fence', stuck });
};
const standing = (databases: Partial<Sights['drain']>): Sights['keep-database'] => ({
  service: { kind: 'following' },
  databases: { origin: primary(), target: follower(), ...databases },
});
const stillSince = (forMs: number): Operation => {
  const evidence = { ...NO_EVIDENCE, replayedLsn: '0/1000', replayMovedAtMs: NOW_MS - forMs };
  return operation('restore-follower', { evidence });
};
const opensLater = { ...NO_EVIDENCE, opensAtMs: NOW_MS + 1_000 };
const switching = (
  outside: Sights['switch']['outside'],
  changes: Partial<Sights['switch']> = {},
): Sights['switch'] => ({
  targetAcl: { kind: 'serve' },
  edge: { kind: 'points-to', region: 'virginia' },
  outside,
  ...changes,
});
const virginiaGrants = { kind: 'granting', region: 'virginia', epoch: 2 } as const;
const checking = (changes: Partial<Sights['check']> = {}): Sights['check'] => ({
  origin: primary(),
  target: follower({ receiver: hearing() }),
  targetApp: fact('up'),
  edge: { kind: 'points-to', region: 'oregon' },
  ...changes,
});

type Case<P extends Phase = Phase> = {
  [Q in P]: [phase: Q, observed: string, sight: Sights[Q], operation?: Operation];
}[P];

/** Every row of the table is reached by something that can be seen. */
const CASES: readonly Case[] = [
  ['latch', 'held-by-origin', { authority: authority() }],
  ['latch', 'held-by-origin', { authority: authority() }, operation('failover', { startedAtMs: longAgoMs })],
  [
    'latch',
    'held-by-origin',
    { authority: authority() },
    operation('failover', { automatic: true, startedAtMs: longAgoMs + 1 }),
  ],
  [
    'latch',
    'decided-too-long-ago',
    { authority: authority() },
    operation('failover', { automatic: true, startedAtMs: longAgoMs }),
  ],
  [
    'latch',
    'latched',
    { authority: authority({ epoch: 2, region: 'virginia', operationId: 'op' }) },
    operation('failover', { automatic: true, startedAtMs: longAgoMs }),
  ],
  ['latch', 'latched', { authority: authority({ epoch: 2, region: 'virginia', operationId: 'op' }) }],
  ['fence', 'fenced', { originAcl: { kind: 'fence', activeRegion: 'virginia' } }],
  ['fence', 'not-fenced', { originAcl: { kind: 'serve' } }],
  ['fence', 'not-fenced', { originAcl: { kind: 'fence', activeRegion: 'oregon' } }],
  ['fence', 'not-fenced', { originAcl: { kind: 'serve' } }, notFencedSince(NOW_MS - POLICY.fenceMaxMs + 1)],
  ['fence', 'out-of-time', { originAcl: { kind: 'serve' } }, notFencedSince(NOW_MS - POLICY.fenceMaxMs)],
  ['fence', 'fenced', { originAcl: { kind: 'fence', activeRegion: 'virginia' } }, notFencedSince(0)],
  ['fence', 'unreachable', { originAcl: noAnswer }],
  ['drain', 'origin-open', { origin: primary(), target: follower() }],
  ['drain', 'origin-open', { origin: primary({ epoch: null }), target: follower() }],
  ['drain', 'target-behind-closed-origin', { origin: closed, target: follower({ replayedLsn: '0/FFF' }) }],
  ['drain', 'carried-over', { origin: closed, target: follower() }],
  [
    'drain',
    'carried-over',
    { origin: gone, target: follower() },
    operation('hand-over', { phase: 'drain', evidence: { ...NO_EVIDENCE, originLsn: '0/1000' } }),
  ],
  ['drain', 'origin-lost-still-receiving', { origin: gone, target: follower({ receiver: hearing() }) }],
  ['drain', 'origin-lost-still-replaying', { origin: gone, target: follower({ replayedLsn: '0/FFF' }) }],
  ['drain', 'all-received-replayed', { origin: gone, target: follower() }],
  ['drain', 'all-received-replayed', { origin: gone, target: follower({ receivedLsn: null }) }],
  [
    'drain',
    'all-received-replayed',
    { origin: gone, target: follower({ replayedLsn: '0/FFF' }) },
    operation('failover', {
      evidence: { ...NO_EVIDENCE, replayedLsn: '0/FFF', replayMovedAtMs: NOW_MS - POLICY.drainAtRestMs },
    }),
  ],
  ['drain', 'out-of-time', { origin: gone, target: follower({ receiver: hearing() }) }, late],
  ['drain', 'out-of-time', { origin: closed, target: follower({ replayedLsn: '0/FFF' }) }, late],
  ['drain', 'out-of-time', { origin: primary(), target: follower() }, late],
  [
    'drain',
    'origin-lost-in-hand-over',
    { origin: gone, target: follower() },
    operation('hand-over', { phaseSinceMs: lateMs }),
  ],
  ['drain', 'replay-paused', { origin: gone, target: follower({ replayPaused: true }) }],
  ['drain', 'replay-paused', { origin: closed, target: follower({ replayPaused: true, replayedLsn: '0/FFF' }) }],
  ['drain', 'target-unreachable', { origin: gone, target: gone }],
  ['drain', 'target-already-primary', { origin: gone, target: primary() }],
  ['drain', 'target-primary-before-hand-over', { origin: primary(), target: primary() }, operation('hand-over')],
  ['promote', 'follower', { target: follower() }],
  ['promote', 'replay-paused', { target: follower({ replayPaused: true }) }],
  ['promote', 'target-unreachable', { target: gone }],
  ['promote', 'primary', { target: primary() }],
  ['verify', 'writable', { write: fact('up') }],
  ['verify', 'not-writable', { write: fact('down') }],
  ['verify', 'not-writable', { write: fact('unknown') }],
  ['open', 'latched', { authority: authority({ epoch: 2, opensAtMs: null }) }],
  ['open', 'opening-set', { authority: authority({ epoch: 2, opensAtMs: NOW_MS + 5 }) }],
  ['switch', 'target-fenced', switching(noAnswer, { targetAcl: { kind: 'fence', activeRegion: 'oregon' } })],
  ['switch', 'target-router-unreachable', switching(noAnswer, { targetAcl: noAnswer })],
  ['switch', 'edge-elsewhere', switching(noAnswer, { edge: { kind: 'points-to', region: 'oregon' } })],
  ['switch', 'edge-unreachable', switching(virginiaGrants, { edge: noAnswer })],
  [
    'switch',
    'waiting-for-opening',
    switching({ kind: 'not-granting', because: 'not yet' }),
    operation('failover', { evidence: opensLater }),
  ],
  ['switch', 'not-seen-outside', switching({ kind: 'not-granting', because: 'no proof' })],
  ['switch', 'not-seen-outside', switching({ kind: 'granting', region: 'virginia', epoch: 1 })],
  ['switch', 'not-seen-outside', switching({ kind: 'granting', region: 'oregon', epoch: 2 })],
  ['switch', 'seen-outside', switching(virginiaGrants)],
  ['settle', 'settled', {}],
  ['hand-back-fence', 'fenced', { targetAcl: { kind: 'fence', activeRegion: 'virginia' } }, operation('confirm-fence')],
  ['hand-back-fence', 'not-fenced', { targetAcl: { kind: 'serve' } }, operation('confirm-fence')],
  ['hand-back-fence', 'unreachable', { targetAcl: noAnswer }, operation('confirm-fence')],
  ['keep-database', 'running', { service: { kind: 'running' }, databases: null }],
  ['keep-database', 'failed', { service: { kind: 'failed', because: 'disk full' }, databases: null }],
  ['keep-database', 'busy', { service: { kind: 'building' }, databases: null }],
  ['keep-database', 'unreachable', { service: noAnswer, databases: null }],
  ['keep-database', 'kept', { service: { kind: 'kept' }, databases: null }],
  ['keep-database', 'following', standing({ target: follower({ receiver: hearing() }) })],
  ['keep-database', 'following', standing({ origin: gone })],
  ['keep-database', 'following', standing({ target: gone })],
  ['keep-database', 'following', standing({ target: follower({ replayPaused: true }) })],
  ['keep-database', 'follower-silent', standing({})],
  [
    'keep-database',
    'follower-silent',
    standing({ origin: primary({ flushedLsn: '1/0' }) }),
    stillSince(POLICY.followerLostAfterMs - 1),
  ],
  [
    'keep-database',
    'follower-silent',
    standing({ target: follower({ replayedLsn: '0/1001' }) }),
    stillSince(POLICY.followerLostAfterMs),
  ],
  ['keep-database', 'follower-lost', standing({}), stillSince(POLICY.followerLostAfterMs)],
  [
    'keep-database',
    'follower-lost',
    standing({ origin: primary({ flushedLsn: '1/0' }), target: follower({ receiver: hearing() }) }),
    stillSince(POLICY.followerLostAfterMs),
  ],
  ['build-follower', 'place-taken', { service: { kind: 'running' } }],
  ['build-follower', 'place-free', { service: { kind: 'kept' } }],
  ['build-follower', 'failed', { service: { kind: 'failed', because: 'disk full' } }],
  ['build-follower', 'building', { service: { kind: 'building' } }],
  ['build-follower', 'unreachable', { service: noAnswer }],
  ['build-follower', 'following', { service: { kind: 'following' } }],
  ['keep-up', 'keeps-up', { origin: primary(), target: follower({ receiver: hearing() }) }],
  ['keep-up', 'behind', { origin: primary({ flushedLsn: '1/0' }), target: follower({ receiver: hearing() }) }],
  ['keep-up', 'behind', { origin: primary(), target: follower() }],
  ['keep-up', 'behind', { origin: primary(), target: primary() }],
  ['keep-up', 'unreachable', { origin: gone, target: follower({ receiver: hearing() }) }],
  ['keep-up', 'unreachable', { origin: primary(), target: gone }],
  ['check', 'ready', checking(), operation('arm')],
  ['check', 'not-ready', checking({ target: follower() }), operation('arm')],
  ['check', 'not-ready', checking({ targetApp: fact('unknown') }), operation('arm')],
  ['check', 'not-ready', checking({ edge: noAnswer }), operation('arm')],
  ['check', 'not-ready', checking({ edge: { kind: 'points-to', region: 'virginia' } }), operation('arm')],
];

function observe<P extends Phase>(phase: P, sight: Sights[P], given: Operation): string {
  return classify(phase, sight, { operation: given, policy: POLICY, nowMs: NOW_MS }).observed;
}

describe('what a phase finds', () => {
  it.each(
    CASES.map(([phase, observed, sight, given]) => ({ phase, observed, sight, given: given ?? operation('failover') })),
  )('$phase: $observed', ({ phase, observed, sight, given }) => {
    expect(observe(phase, sight as never, given)).toBe(observed);
  });

  it('reaches every row of the table', () => {
    const rows = new Set(TRANSITIONS.map(({ phase, observed }) => `${phase}/${observed}`));
    expect(new Set(CASES.map(([phase, observed]) => `${phase}/${observed}`))).toEqual(rows);
  });
});

describe('the transition table', () => {
  it('has one row for each thing a phase can find, with a reason', () => {
    const keys = TRANSITIONS.map(({ phase, observed }) => `${phase}/${observed}`);
    expect(new Set(keys).size).toBe(keys.length);
    for (const { why } of TRANSITIONS) expect(why.length).toBeGreaterThan(15);
  });

  it('lets every phase of every operation be left', () => {
    for (const phase of new Set(Object.values(PHASES_OF).flat())) {
      expect(TRANSITIONS.some((row) => row.phase === phase && row.next === 'next')).toBe(true);
    }
  });

  it('knows no phase that no operation has', () => {
    expect(new Set(TRANSITIONS.map(({ phase }) => phase))).toEqual(new Set(Object.values(PHASES_OF).flat()));
  });

  it('never acts and goes on at once: the effect is looked at first', () => {
    for (const row of TRANSITIONS) if (row.act !== 'none') expect(row.next).toBe('stay');
  });

  it('asks for nothing the hands cannot do, and the hands can do nothing that is not asked for', () => {
    const asked = new Set(TRANSITIONS.map(({ act }) => act).filter((act) => act !== 'none'));
    expect(new Set(Object.keys(ACTS))).toEqual(asked);
  });

  it('lets an operation be given up only while the origin has the authority', () => {
    const givenUp = TRANSITIONS.filter(({ next }) => next === 'abandon');
    expect(givenUp).toMatchObject([{ phase: 'latch', observed: 'decided-too-long-ago' }]);
  });

  it('acts on nothing when there is no row', () => {
    expect(() => transitionFor('latch', 'something-new')).toThrow('no transition');
  });

  it('ends every operation with its report', () => {
    for (const phases of Object.values(PHASES_OF)) expect(phases.at(-1)).toBe('settle');
  });

  it('takes the authority before the fence in a failover, and only after the proof of the new database in a hand-over', () => {
    expect(PHASES_OF.failover[0]).toBe('latch');
    const handOver = PHASES_OF['hand-over'];
    expect(handOver.indexOf('latch')).toBeGreaterThan(handOver.indexOf('verify'));
  });
});
