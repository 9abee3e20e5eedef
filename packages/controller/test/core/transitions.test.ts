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
import { NO_EVIDENCE, type Operation, PHASES_OF, type Phase } from '../../src/core/operations';
import type { ArchiveDatabaseView } from '../../src/phases/archive-database';
import { type DEFINITIONS, PHASES, TRANSITIONS, transitionFor } from '../../src/phases/index';
import type { DatabasesView } from '../../src/phases/observe-databases';
import type { PreflightView } from '../../src/phases/preflight';
import type { SwitchView } from '../../src/phases/switch';

const gone = { kind: 'unreachable', reason: 'connection refused' } as const;
const noAnswer = { kind: 'unreachable', reason: 'no answer' } as const;
const closed = primary({ epoch: { epoch: 1, region: 'oregon', closed: true } });
const lateMs = NOW_MS - POLICY.drainMaxMs - 1;
const longAgoMs = NOW_MS - POLICY.sampleGapMaxMs - 1;
const late = operation('failover', { phaseSinceMs: lateMs });
const notFencedSince = (sinceMs: number): Operation => {
  const stuck = { observed: 'not_fenced', reason: 'refused', sinceMs, alertedAtMs: undefined };
  return operation('failover', { phase: 'fence', stuck });
};
const withDatabases = (databases: Partial<DatabasesView>): ArchiveDatabaseView => ({
  service: { kind: 'following' },
  databases: { origin: primary(), target: follower(), ...databases },
});
const stillSince = (forMs: number): Operation => {
  const evidence = { ...NO_EVIDENCE, replayedLsn: '0/1000', replayMovedAtMs: NOW_MS - forMs };
  return operation('restore-follower', { evidence });
};
const opensLater = { ...NO_EVIDENCE, opensAtMs: NOW_MS + 1_000 };
const switching = (outside: SwitchView['outside'], changes: Partial<SwitchView> = {}): SwitchView => ({
  targetAcl: { kind: 'serve' },
  edge: { kind: 'points_to', region: 'virginia' },
  outside,
  ...changes,
});
const virginiaGrants = { kind: 'granting', region: 'virginia', epoch: 2 } as const;
const checking = (changes: Partial<PreflightView> = {}): PreflightView => ({
  origin: primary(),
  target: follower({ receiver: hearing() }),
  targetApp: fact('up'),
  edge: { kind: 'points_to', region: 'oregon' },
  ...changes,
});

type Case = {
  [P in Phase]: [
    phase: P,
    observed: string,
    view: Parameters<(typeof DEFINITIONS)[P]['classify']>[0],
    operation?: Operation,
  ];
}[Phase];

/** Every row of the table is reached by something that can be seen. */
const CASES: readonly Case[] = [
  ['latch', 'held_by_origin', { authority: authority() }],
  ['latch', 'held_by_origin', { authority: authority() }, operation('failover', { startedAtMs: longAgoMs })],
  [
    'latch',
    'held_by_origin',
    { authority: authority() },
    operation('failover', { automatic: true, startedAtMs: longAgoMs + 1 }),
  ],
  [
    'latch',
    'decided_too_long_ago',
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
  ['fence', 'not_fenced', { originAcl: { kind: 'serve' } }],
  ['fence', 'not_fenced', { originAcl: { kind: 'fence', activeRegion: 'oregon' } }],
  ['fence', 'not_fenced', { originAcl: { kind: 'serve' } }, notFencedSince(NOW_MS - POLICY.fenceMaxMs + 1)],
  ['fence', 'out_of_time', { originAcl: { kind: 'serve' } }, notFencedSince(NOW_MS - POLICY.fenceMaxMs)],
  ['fence', 'fenced', { originAcl: { kind: 'fence', activeRegion: 'virginia' } }, notFencedSince(0)],
  ['fence', 'unreachable', { originAcl: noAnswer }],
  ['drain', 'origin_open', { origin: primary(), target: follower() }],
  ['drain', 'origin_open', { origin: primary({ epoch: undefined }), target: follower() }],
  ['drain', 'target_behind_closed_origin', { origin: closed, target: follower({ replayedLsn: '0/FFF' }) }],
  ['drain', 'carried_over', { origin: closed, target: follower() }],
  [
    'drain',
    'carried_over',
    { origin: gone, target: follower() },
    operation('switchover', { phase: 'drain', evidence: { ...NO_EVIDENCE, originLsn: '0/1000' } }),
  ],
  ['drain', 'origin_lost_still_receiving', { origin: gone, target: follower({ receiver: hearing() }) }],
  ['drain', 'origin_lost_still_replaying', { origin: gone, target: follower({ replayedLsn: '0/FFF' }) }],
  ['drain', 'all_received_replayed', { origin: gone, target: follower() }],
  ['drain', 'all_received_replayed', { origin: gone, target: follower({ receivedLsn: undefined }) }],
  [
    'drain',
    'all_received_replayed',
    { origin: gone, target: follower({ replayedLsn: '0/FFF' }) },
    operation('failover', {
      evidence: { ...NO_EVIDENCE, replayedLsn: '0/FFF', replayMovedAtMs: NOW_MS - POLICY.drainAtRestMs },
    }),
  ],
  ['drain', 'out_of_time', { origin: gone, target: follower({ receiver: hearing() }) }, late],
  ['drain', 'out_of_time', { origin: closed, target: follower({ replayedLsn: '0/FFF' }) }, late],
  ['drain', 'out_of_time', { origin: primary(), target: follower() }, late],
  [
    'drain',
    'origin_lost_in_switchover',
    { origin: gone, target: follower() },
    operation('switchover', { phaseSinceMs: lateMs }),
  ],
  ['drain', 'replay_paused', { origin: gone, target: follower({ replayPaused: true }) }],
  ['drain', 'replay_paused', { origin: closed, target: follower({ replayPaused: true, replayedLsn: '0/FFF' }) }],
  ['drain', 'target_unreachable', { origin: gone, target: gone }],
  ['drain', 'target_already_primary', { origin: gone, target: primary() }],
  ['drain', 'target_primary_before_switchover', { origin: primary(), target: primary() }, operation('switchover')],
  ['promote', 'follower', { target: follower() }],
  ['promote', 'replay_paused', { target: follower({ replayPaused: true }) }],
  ['promote', 'target_unreachable', { target: gone }],
  ['promote', 'primary', { target: primary() }],
  ['verify', 'writable', { write: fact('up') }],
  ['verify', 'not_writable', { write: fact('down') }],
  ['verify', 'not_writable', { write: fact('unknown') }],
  ['open', 'latched', { authority: authority({ epoch: 2, opensAtMs: undefined }) }],
  ['open', 'opening_set', { authority: authority({ epoch: 2, opensAtMs: NOW_MS + 5 }) }],
  ['switch', 'target_fenced', switching(noAnswer, { targetAcl: { kind: 'fence', activeRegion: 'oregon' } })],
  ['switch', 'target_router_unreachable', switching(noAnswer, { targetAcl: noAnswer })],
  ['switch', 'edge_elsewhere', switching(noAnswer, { edge: { kind: 'points_to', region: 'oregon' } })],
  ['switch', 'edge_unreachable', switching(virginiaGrants, { edge: noAnswer })],
  [
    'switch',
    'waiting_for_opening',
    switching({ kind: 'not_granting', reason: 'not yet' }),
    operation('failover', { evidence: opensLater }),
  ],
  ['switch', 'not_seen_outside', switching({ kind: 'not_granting', reason: 'no proof' })],
  ['switch', 'not_seen_outside', switching({ kind: 'granting', region: 'virginia', epoch: 1 })],
  ['switch', 'not_seen_outside', switching({ kind: 'granting', region: 'oregon', epoch: 2 })],
  ['switch', 'seen_outside', switching(virginiaGrants)],
  ['complete', 'completed', {}],
  ['confirm_fence', 'fenced', { targetAcl: { kind: 'fence', activeRegion: 'virginia' } }, operation('confirm-fence')],
  ['confirm_fence', 'not_fenced', { targetAcl: { kind: 'serve' } }, operation('confirm-fence')],
  ['confirm_fence', 'unreachable', { targetAcl: noAnswer }, operation('confirm-fence')],
  ['archive_database', 'running', { service: { kind: 'running' }, databases: undefined }],
  ['archive_database', 'failed', { service: { kind: 'failed', reason: 'disk full' }, databases: undefined }],
  ['archive_database', 'busy', { service: { kind: 'building' }, databases: undefined }],
  ['archive_database', 'unreachable', { service: noAnswer, databases: undefined }],
  ['archive_database', 'archived', { service: { kind: 'archived' }, databases: undefined }],
  ['archive_database', 'following', withDatabases({ target: follower({ receiver: hearing() }) })],
  [
    'archive_database',
    'following',
    { ...withDatabases({ origin: gone }), service: { kind: 'incomplete', reason: '' } },
  ],
  ['archive_database', 'following', withDatabases({ origin: gone })],
  ['archive_database', 'following', withDatabases({ target: gone })],
  ['archive_database', 'following', withDatabases({ target: follower({ replayPaused: true }) })],
  ['archive_database', 'follower_silent', withDatabases({})],
  [
    'archive_database',
    'follower_silent',
    withDatabases({ origin: primary({ flushedLsn: '1/0' }) }),
    stillSince(POLICY.followerLostAfterMs - 1),
  ],
  [
    'archive_database',
    'follower_silent',
    withDatabases({ target: follower({ replayedLsn: '0/1001' }) }),
    stillSince(POLICY.followerLostAfterMs),
  ],
  ['archive_database', 'follower_lost', withDatabases({}), stillSince(POLICY.followerLostAfterMs)],
  [
    'archive_database',
    'follower_lost',
    withDatabases({ origin: primary({ flushedLsn: '1/0' }), target: follower({ receiver: hearing() }) }),
    stillSince(POLICY.followerLostAfterMs),
  ],
  ['build_follower', 'place_taken', { service: { kind: 'running' } }],
  ['build_follower', 'place_free', { service: { kind: 'archived' } }],
  ['build_follower', 'failed', { service: { kind: 'failed', reason: 'disk full' } }],
  ['build_follower', 'building', { service: { kind: 'building' } }],
  [
    'build_follower',
    'incomplete',
    { service: { kind: 'incomplete', reason: 'its parameter group is pending-reboot' } },
  ],
  ['build_follower', 'unreachable', { service: noAnswer }],
  ['build_follower', 'following', { service: { kind: 'following' } }],
  ['catch_up', 'caught_up', { origin: primary(), target: follower({ receiver: hearing() }) }],
  ['catch_up', 'behind', { origin: primary({ flushedLsn: '1/0' }), target: follower({ receiver: hearing() }) }],
  ['catch_up', 'behind', { origin: primary(), target: follower() }],
  ['catch_up', 'behind', { origin: primary(), target: primary() }],
  ['catch_up', 'unreachable', { origin: gone, target: follower({ receiver: hearing() }) }],
  ['catch_up', 'unreachable', { origin: primary(), target: gone }],
  ['preflight', 'ready', checking(), operation('arm')],
  ['preflight', 'not_ready', checking({ target: follower() }), operation('arm')],
  ['preflight', 'not_ready', checking({ targetApp: fact('unknown') }), operation('arm')],
  ['preflight', 'not_ready', checking({ edge: noAnswer }), operation('arm')],
  ['preflight', 'not_ready', checking({ edge: { kind: 'points_to', region: 'virginia' } }), operation('arm')],
];

function observe(phase: Phase, view: unknown, given: Operation): string {
  return PHASES[phase].classify(view as never, { operation: given, policy: POLICY, nowMs: NOW_MS }).observed;
}

describe('phase classification', () => {
  it.each(
    CASES.map(([phase, observed, view, given]) => ({ phase, observed, view, given: given ?? operation('failover') })),
  )('$phase: $observed', ({ phase, observed, view, given }) => {
    expect(observe(phase, view, given)).toBe(observed);
  });

  it('reaches every row of the transition table', () => {
    const rows = new Set(TRANSITIONS.map(({ phase, observed }) => `${phase}/${observed}`));
    expect(new Set(CASES.map(([phase, observed]) => `${phase}/${observed}`))).toEqual(rows);
  });
});

describe('transition table', () => {
  it('has one row for each observation, with a reason', () => {
    const keys = TRANSITIONS.map(({ phase, observed }) => `${phase}/${observed}`);
    expect(new Set(keys).size).toBe(keys.length);
    for (const { why } of TRANSITIONS) expect(why.length).toBeGreaterThan(15);
  });

  it('has a way out of every phase of every operation', () => {
    for (const phase of new Set(Object.values(PHASES_OF).flat())) {
      expect(TRANSITIONS.some((row) => row.phase === phase && row.next === 'next')).toBe(true);
    }
  });

  it('has no phase that is in no operation', () => {
    expect(new Set(TRANSITIONS.map(({ phase }) => phase))).toEqual(new Set(Object.values(PHASES_OF).flat()));
  });

  it('stays in a phase with an effect until the result is observed', () => {
    for (const row of TRANSITIONS) if (row.effect !== 'none') expect(row.next).toBe('stay');
  });

  it('implements every effect of a row, and has no effect that no row uses', () => {
    for (const [phase, { effects }] of Object.entries(PHASES)) {
      const rows = TRANSITIONS.filter((row) => row.phase === phase && row.effect !== 'none');
      expect(new Set(Object.keys(effects))).toEqual(new Set(rows.map(({ effect }) => effect)));
    }
  });

  it('abandons an operation only while the origin has the authority', () => {
    const abandoned = TRANSITIONS.filter(({ next }) => next === 'abandon');
    expect(abandoned).toMatchObject([{ phase: 'latch', observed: 'decided_too_long_ago' }]);
  });

  it('throws when there is no row', () => {
    expect(() => transitionFor('latch', 'something_new')).toThrow('no transition');
  });

  it('ends every operation with the phase complete', () => {
    for (const phases of Object.values(PHASES_OF)) expect(phases.at(-1)).toBe('complete');
  });

  it('latches first in a failover, and only after the verification in a switchover', () => {
    expect(PHASES_OF.failover[0]).toBe('latch');
    const { switchover } = PHASES_OF;
    expect(switchover.indexOf('latch')).toBeGreaterThan(switchover.indexOf('verify'));
  });
});
