/**
 * What the supervisor does with a region's pair: a primary database and its synchronous standby. Pure: facts in, one
 * action out; the table is the whole behaviour.
 */

/**
 * The instance on record as the primary database.
 *
 * - `silent`: it runs and does not answer, not yet for long enough to say that it hangs.
 * - `in_recovery`: it answers as a follower: its promotion has been decided and is not finished.
 */
export type PrimaryFact = 'exited' | 'silent' | 'hung' | 'in_recovery' | 'writable';

/**
 * The other one. `steady`: it has answered all the time that a hang takes to be believed, so that a primary database
 * that is silent beside it does hang, and not the whole machine.
 */
export type StandbyFact = 'exited' | 'silent' | 'following' | 'following_steady' | 'writable';

/**
 * The replication between them as the primary database sees it.
 *
 * - `none`: no connection; `silent`: connected, but nothing is acknowledged any more.
 * - `behind`: still catching up; `close`: so near that a commit may wait for it.
 * - `proven`: commits wait for it, and it has acknowledged every commit that did not.
 */
export type StreamFact = 'none' | 'silent' | 'behind' | 'close' | 'proven';

export interface HaPairFacts {
  readonly primary: PrimaryFact;
  readonly standby: StandbyFact;
  readonly stream: StreamFact;
  /** On record: the standby has every commit that was acknowledged. Implies that commits wait for it. */
  readonly isEligible: boolean;
  /** Commits wait for the standby (synchronous_standby_names is set). */
  readonly isRequired: boolean;
  /** Somebody asked for the primary database to be started. */
  readonly isPrimaryWanted: boolean;
}

export type HaPairAction =
  /** End the old primary database for certain and put the standby on record as the primary. */
  | 'take_over'
  /** Promote the instance on record. */
  | 'promote'
  | 'launch_primary'
  /** Record that the standby may miss commits, then stop waiting for it. In this order. */
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
    why: 'It is on record as the primary database, so its promotion was decided and only has to be finished.',
  },
  {
    when: (facts) => facts.primary === 'exited' && facts.isEligible && follows(facts),
    action: 'take_over',
    why: 'The primary database is dead and the standby has every commit.',
  },
  {
    when: ({ primary, isPrimaryWanted }) => primary === 'exited' && isPrimaryWanted,
    action: 'launch_primary',
    why: 'It was the last primary database, so nothing is newer than what it holds.',
  },
  {
    when: ({ primary }) => primary === 'exited',
    action: 'none',
    why: 'The database is down: the standby is dead too, or may miss commits. Starting the last primary repairs it.',
  },
  {
    when: ({ primary, standby, isEligible }) => primary === 'hung' && standby === 'following_steady' && isEligible,
    action: 'take_over',
    why: 'The primary database hangs while the standby beside it answers: slow is as dead as dead.',
  },
  {
    when: ({ primary }) => primary !== 'writable',
    action: 'none',
    why: 'It may come back, and nobody could take its place now.',
  },
  {
    when: ({ isEligible, isRequired, standby, stream }) =>
      (isEligible || isRequired) && (standby === 'exited' || stream === 'none' || stream === 'silent'),
    action: 'release_standby',
    why: 'Commits must not wait for a standby that is gone.',
  },
  {
    when: ({ isEligible, isRequired }) => isEligible && !isRequired,
    action: 'release_standby',
    why: 'Commits do not wait for the standby, so it cannot be known to have them.',
  },
  {
    when: (facts) => !facts.isRequired && follows(facts) && (facts.stream === 'close' || facts.stream === 'proven'),
    action: 'require_standby',
    why: 'It has caught up: from now on no commit is acknowledged without it.',
  },
  {
    when: ({ isRequired, isEligible, stream }) => isRequired && !isEligible && stream === 'proven',
    action: 'record_eligible',
    why: 'It has the commits from before it was waited for, and all since.',
  },
  { when: () => true, action: 'none', why: 'All is as it should be, or on its way there.' },
];

export function decideHaPair(facts: HaPairFacts): HaPairRule {
  const rule = HA_PAIR_RULES.find(({ when }) => when(facts));
  if (rule === undefined) throw new Error('the last rule matches everything');
  return rule;
}
