/**
 * What the supervisor does with an instance that is to follow another: the in-region standby and the cross-region
 * follower. Pure: facts in, one action out.
 */

/**
 * - `current`: the instance's files can go on following from where they are.
 * - `stale`: they may hold what the primary database never had, or cannot go on; only a new copy helps.
 * - `promoted`: it is a primary database itself.
 */
export type Lineage = 'current' | 'stale' | 'promoted';

/**
 * - `ahead`: it has received more than the point at which its source became a primary database.
 * - `interrupted`: not streaming, for a short while; `lost`: for long, although its source is up.
 */
export type FollowingFact = 'streaming' | 'interrupted' | 'ahead' | 'lost';

export interface FollowerFacts {
  readonly isRunning: boolean;
  /** Somebody wants it to run: false once it was ended from outside. */
  readonly isWanted: boolean;
  readonly lineage: Lineage;
  readonly isSourceUp: boolean;
  readonly following: FollowingFact;
}

export type FollowerAction = 'launch' | 'rebuild' | 'none';

export interface FollowerRule {
  readonly when: (facts: FollowerFacts) => boolean;
  readonly action: FollowerAction;
  readonly why: string;
}

/** First match wins. */
export const FOLLOWER_RULES: readonly FollowerRule[] = [
  {
    when: ({ lineage, isRunning, isWanted }) => lineage === 'promoted' && isWanted && !isRunning,
    action: 'launch',
    why: 'A primary database starts as it is.',
  },
  {
    when: ({ lineage }) => lineage === 'promoted',
    action: 'none',
    why: 'A promoted database is no follower any more: what becomes of it is not decided here.',
  },
  {
    when: ({ isWanted }) => !isWanted,
    action: 'none',
    why: 'What was ended on purpose stays ended until somebody asks.',
  },
  {
    when: ({ lineage, isSourceUp }) => lineage === 'stale' && !isSourceUp,
    action: 'none',
    why: 'It needs a new copy, and there is nothing to copy from.',
  },
  {
    when: ({ lineage }) => lineage === 'stale',
    action: 'rebuild',
    why: 'Its files may hold what the primary database never had.',
  },
  { when: ({ isRunning }) => !isRunning, action: 'launch', why: 'Its files can go on from where they are.' },
  {
    when: ({ following, isSourceUp }) => isSourceUp && following === 'ahead',
    action: 'rebuild',
    why: 'It holds what the new primary database never had, so it can never follow it.',
  },
  {
    when: ({ following, isSourceUp }) => isSourceUp && following === 'lost',
    action: 'rebuild',
    why: 'Its source is up and it cannot follow: the WAL it needs is gone, or it has diverged.',
  },
  { when: () => true, action: 'none', why: 'It follows, or goes on by itself once its source is back.' },
];

export function decideFollower(facts: FollowerFacts): FollowerRule {
  const rule = FOLLOWER_RULES.find(({ when }) => when(facts));
  if (rule === undefined) throw new Error('the last rule matches everything');
  return rule;
}
