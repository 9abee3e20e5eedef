import {
  decideFollower,
  FOLLOWER_RULES,
  type FollowerFacts,
  type FollowingFact,
  type Lineage,
} from '../../src/databases/follower-rules';
import { isAhead, parseHistory } from '../../src/databases/replication-source';

const LINEAGE: Lineage[] = ['current', 'stale', 'promoted'];
const FOLLOWING: FollowingFact[] = ['streaming', 'interrupted', 'ahead', 'lost'];
const EITHER = [false, true];

const situations: FollowerFacts[] = LINEAGE.flatMap((lineage) =>
  FOLLOWING.flatMap((following) =>
    EITHER.flatMap((isRunning) =>
      EITHER.flatMap((isWanted) =>
        EITHER.map((isSourceUp) => ({ lineage, following, isRunning, isWanted, isSourceUp })),
      ),
    ),
  ),
);
const doing = (action: string) => situations.filter((facts) => decideFollower(facts).action === action);

const CALM: FollowerFacts = {
  isRunning: true,
  isWanted: true,
  lineage: 'current',
  isSourceUp: true,
  following: 'streaming',
};

describe('follower rules', () => {
  it.each<[string, Partial<FollowerFacts>, string]>([
    ['take no action on a streaming follower', {}, 'none'],
    ['launch a wanted follower', { isRunning: false }, 'launch'],
    [
      'launch a wanted follower although its source is down, for reads or a promotion',
      { isRunning: false, isSourceUp: false },
      'launch',
    ],
    ['do not launch a follower that was ended on purpose', { isRunning: false, isWanted: false }, 'none'],
    ['give an interrupted follower time to reconnect', { following: 'interrupted' }, 'none'],
    ['rebuild a follower that is ahead of the promoted standby', { following: 'ahead' }, 'rebuild'],
    ['rebuild a follower that cannot follow although its source is up', { following: 'lost' }, 'rebuild'],
    ['keep a lost follower while its source is down', { following: 'lost', isSourceUp: false }, 'none'],
    ['rebuild a former primary', { lineage: 'stale', isRunning: false }, 'rebuild'],
    [
      'wait for a source before rebuilding a former primary',
      { lineage: 'stale', isRunning: false, isSourceUp: false },
      'none',
    ],
    ['launch a promoted database with its own files', { lineage: 'promoted', isRunning: false }, 'launch'],
  ])('%s', (_rule, facts, action) => {
    expect(decideFollower({ ...CALM, ...facts }).action).toBe(action);
  });

  it('never rebuild a promoted database', () => {
    expect(doing('rebuild').filter(({ lineage }) => lineage === 'promoted')).toEqual([]);
  });

  it('never rebuild without a source', () => {
    expect(doing('rebuild').filter(({ isSourceUp }) => !isSourceUp)).toEqual([]);
  });

  it('never act on an instance that should not run', () => {
    expect(
      situations.filter(({ isWanted }) => !isWanted).every((facts) => decideFollower(facts).action === 'none'),
    ).toBe(true);
  });

  it('are all reachable and all have a reason', () => {
    const used = new Set(situations.map(decideFollower));
    expect(FOLLOWER_RULES.filter((rule) => !used.has(rule))).toEqual([]);
    expect(FOLLOWER_RULES.filter(({ why }) => why.length < 20)).toEqual([]);
  });
});

describe('isAhead', () => {
  const history = parseHistory(
    '1\t0/5000148\tno recovery target specified\n\n2\t0/7000000\tno recovery target specified\n',
  );

  it.each([
    ['is true when the follower holds more of a timeline than its source did', 1, '0/5000149', true],
    ['is false at the switch point', 1, '0/5000148', false],
    ['compares positions as numbers', 1, '0/FFFF', false],
    ['is true beyond a later promotion', 2, '0/7000001', true],
    ['is false on the current timeline of the source', 3, '1/0', false],
  ])('%s', (_rule, timeline, lsn, ahead) => {
    expect(isAhead({ timeline, lsn }, history)).toBe(ahead);
  });
});
