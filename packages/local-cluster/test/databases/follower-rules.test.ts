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

it.each<[string, Partial<FollowerFacts>, string]>([
  ['leaves a streaming follower alone', {}, 'none'],
  ['starts one that is asked for', { isRunning: false }, 'launch'],
  [
    'starts one also while its source is down: it can be read, or promoted',
    { isRunning: false, isSourceUp: false },
    'launch',
  ],
  ['restarts nothing that was ended on purpose', { isRunning: false, isWanted: false }, 'none'],
  ['gives one time to reconnect', { following: 'interrupted' }, 'none'],
  ['builds one anew that got ahead of the promoted standby', { following: 'ahead' }, 'rebuild'],
  ['builds one anew that cannot follow although its source is up', { following: 'lost' }, 'rebuild'],
  ['keeps what there is while the source is down', { following: 'lost', isSourceUp: false }, 'none'],
  ['builds a former primary anew', { lineage: 'stale', isRunning: false }, 'rebuild'],
  [
    'waits for a source to build a former primary from',
    { lineage: 'stale', isRunning: false, isSourceUp: false },
    'none',
  ],
  ['starts a promoted database as it is', { lineage: 'promoted', isRunning: false }, 'launch'],
])('%s', (_rule, facts, action) => {
  expect(decideFollower({ ...CALM, ...facts }).action).toBe(action);
});

it('never builds a promoted database anew', () => {
  expect(doing('rebuild').filter(({ lineage }) => lineage === 'promoted')).toEqual([]);
});

it('never throws a copy away without a source for a new one', () => {
  expect(doing('rebuild').filter(({ isSourceUp }) => !isSourceUp)).toEqual([]);
});

it('never touches what nobody wants', () => {
  expect(situations.filter(({ isWanted }) => !isWanted).every((facts) => decideFollower(facts).action === 'none')).toBe(
    true,
  );
});

it('uses every rule, and gives each a reason', () => {
  const used = new Set(situations.map(decideFollower));
  expect(FOLLOWER_RULES.filter((rule) => !used.has(rule))).toEqual([]);
  expect(FOLLOWER_RULES.filter(({ why }) => why.length < 20)).toEqual([]);
});

describe('a follower against the history of its source', () => {
  const history = parseHistory(
    '1\t0/5000148\tno recovery target specified\n\n2\t0/7000000\tno recovery target specified\n',
  );

  it.each([
    ['is ahead when it holds more of a timeline than its source did', 1, '0/5000149', true],
    ['is not ahead with just as much', 1, '0/5000148', false],
    ['is compared as a number, not as text', 1, '0/FFFF', false],
    ['is ahead of a later promotion, too', 2, '0/7000001', true],
    ['is not ahead on the timeline that the source is still on', 3, '1/0', false],
  ])('%s', (_rule, timeline, lsn, ahead) => {
    expect(isAhead({ timeline, lsn }, history)).toBe(ahead);
  });
});
