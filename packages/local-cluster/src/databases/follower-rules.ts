/**
 * Decides what to do with an instance that should follow another: the in-region standby or the cross-region follower.
 * Pure: facts in, one action out.
 */

/**
 * - `current`: the instance can continue to follow with its present files.
 * - `stale`: the files may hold WAL that the primary database never had, or are unusable; a new copy is required.
 * - `promoted`: the instance is a primary database.
 */
export type Lineage = 'current' | 'stale' | 'promoted';

/**
 * - `ahead`: it has received WAL beyond the point at which its source became a primary database.
 * - `interrupted`: not streaming for a short time; `lost`: for a long time although its source is up.
 */
export type FollowingFact = 'streaming' | 'interrupted' | 'ahead' | 'lost';

export interface FollowerFacts {
  readonly isRunning: boolean;
  /** Whether it should run: false after it was ended from outside. */
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
    why: 'A primary database starts with its own files.',
  },
  {
    when: ({ lineage }) => lineage === 'promoted',
    action: 'none',
    why: 'A promoted database is not a follower. These rules do not apply to it.',
  },
  {
    when: ({ isWanted }) => !isWanted,
    action: 'none',
    why: 'An instance that was ended on purpose stays ended until an operator starts it.',
  },
  {
    when: ({ lineage, isSourceUp }) => lineage === 'stale' && !isSourceUp,
    action: 'none',
    why: 'It needs a new copy, but its source is down.',
  },
  {
    when: ({ lineage }) => lineage === 'stale',
    action: 'rebuild',
    why: 'Its files may hold WAL that the primary database never had.',
  },
  { when: ({ isRunning }) => !isRunning, action: 'launch', why: 'Its files are current, so it can follow.' },
  {
    when: ({ following, isSourceUp }) => isSourceUp && following === 'ahead',
    action: 'rebuild',
    why: 'It holds WAL that the new primary database never had, so it can never follow it.',
  },
  {
    when: ({ following, isSourceUp }) => isSourceUp && following === 'lost',
    action: 'rebuild',
    why: 'Its source is up but it cannot follow: the WAL that it needs is gone, or it has diverged.',
  },
  { when: () => true, action: 'none', why: 'It follows, or will continue when its source is back.' },
];

export function decideFollower(facts: FollowerFacts): FollowerRule {
  const rule = FOLLOWER_RULES.find(({ when }) => when(facts));
  if (rule === undefined) throw new Error('no rule matches, although the last one matches all facts');
  return rule;
}
