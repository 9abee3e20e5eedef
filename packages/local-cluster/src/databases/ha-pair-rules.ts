/**
 * Decides what to do with an HA pair: a primary database and its synchronous standby. Pure: facts in, one action out. The
 * table is the complete behaviour.
 */

/**
 * The instance that the state file names as primary database.
 *
 * - `silent`: it runs but does not answer; not yet long enough to count as hung.
 * - `in_recovery`: it answers as a follower: its promotion was decided but is not finished.
 */
export type PrimaryFact = 'exited' | 'silent' | 'hung' | 'in_recovery' | 'writable';

/**
 * The other instance. `following_steady`: it has answered for the whole time after which silence counts as a hang. So a
 * silent primary database beside it is hung, and not the whole machine.
 */
export type StandbyFact = 'exited' | 'silent' | 'following' | 'following_steady' | 'writable';

/**
 * The replication between both, as the primary database reports it.
 *
 * - `none`: not connected; `silent`: connected, but it no longer acknowledges.
 * - `behind`: still catching up; `close`: close enough for commits to wait for it.
 * - `proven`: commits wait for it, and it has acknowledged every earlier commit.
 */
export type StreamFact = 'none' | 'silent' | 'behind' | 'close' | 'proven';

export interface HaPairFacts {
  readonly primary: PrimaryFact;
  readonly standby: StandbyFact;
  readonly stream: StreamFact;
  /** The state file says that the standby has every acknowledged commit. Implies that commits wait for it. */
  readonly isEligible: boolean;
  /** Commits wait for the standby (synchronous_standby_names is set). */
  readonly isRequired: boolean;
  /** Whether the primary database should run. */
  readonly isPrimaryWanted: boolean;
}

export type HaPairAction =
  /** Kill the old primary database and record the standby as the primary. */
  | 'take_over'
  /** Promote the recorded primary database. */
  | 'promote'
  | 'launch_primary'
  /** Record that the standby may miss commits, then stop waiting for it, in this order. */
  | 'release_standby'
  /** Make commits wait for the standby. */
  | 'require_standby'
  /** Record that the standby has every commit. */
  | 'record_eligible'
  | 'none';

export interface HaPairRule {
  readonly when: (facts: HaPairFacts) => boolean;
  readonly action: HaPairAction;
  readonly why: string;
}

const follows = ({ standby }: HaPairFacts) => standby === 'following' || standby === 'following_steady';

/** First match wins. */
export const HA_PAIR_RULES: readonly HaPairRule[] = [
  {
    when: ({ primary }) => primary === 'in_recovery',
    action: 'promote',
    why: 'It is recorded as the primary database, so its promotion was decided and must be finished.',
  },
  {
    when: (facts) => facts.primary === 'exited' && facts.isEligible && follows(facts),
    action: 'take_over',
    why: 'The primary database is dead and the standby has every commit.',
  },
  {
    when: ({ primary, isPrimaryWanted }) => primary === 'exited' && isPrimaryWanted,
    action: 'launch_primary',
    why: 'It was the last primary database, so no other instance has newer data.',
  },
  {
    when: ({ primary }) => primary === 'exited',
    action: 'none',
    why: 'The standby is dead, too, or may miss commits. The last primary database must be started.',
  },
  {
    when: ({ primary, standby, isEligible }) => primary === 'hung' && standby === 'following_steady' && isEligible,
    action: 'take_over',
    why: 'The primary database hangs while the standby answers and has every commit.',
  },
  {
    when: ({ primary }) => primary !== 'writable',
    action: 'none',
    why: 'It may recover, and no other instance can replace it now.',
  },
  {
    when: ({ isEligible, isRequired, standby, stream }) =>
      (isEligible || isRequired) && (standby === 'exited' || stream === 'none' || stream === 'silent'),
    action: 'release_standby',
    why: 'Commits must not wait for a missing standby.',
  },
  {
    when: ({ isEligible, isRequired }) => isEligible && !isRequired,
    action: 'release_standby',
    why: 'Commits do not wait for the standby, so it may miss some.',
  },
  {
    when: (facts) => !facts.isRequired && follows(facts) && (facts.stream === 'close' || facts.stream === 'proven'),
    action: 'require_standby',
    why: 'The standby has caught up, so commits can wait for it.',
  },
  {
    when: ({ isRequired, isEligible, stream }) => isRequired && !isEligible && stream === 'proven',
    action: 'record_eligible',
    why: 'It has every commit from before and after the change of the setting.',
  },
  { when: () => true, action: 'none', why: 'The pair is in its wanted state, or is approaching it.' },
];

export function decideHaPair(facts: HaPairFacts): HaPairRule {
  const rule = HA_PAIR_RULES.find(({ when }) => when(facts));
  if (rule === undefined) throw new Error('no rule matches, although the last one matches all facts');
  return rule;
}
