import { PRIMARY_REGION, type Region } from '@evergrant/core/regions';
import type { Confirmation } from './confirmation';
import type { Automation } from './control-record';
import type { Fact, Facts } from './facts';
import type { Operation } from './operations';
import type { Policy } from './policy';
import type { HoldCause, StandbyWatch, Verdict } from './verdicts';

/** What a decision rests on: the facts of this sample, and what the control record remembers. */
export interface Situation {
  readonly facts: Facts;
  readonly activeRegion: Region;
  readonly automation: Automation;
  readonly confirmation: Confirmation | null;
  readonly operation: Operation | null;
}

/** One row of the decision: the first whose `when` holds gives the verdict. */
export interface DecisionRow {
  readonly name: string;
  readonly when: (situation: Situation, policy: Policy) => boolean;
  readonly verdict: (situation: Situation, policy: Policy) => Verdict;
  readonly why: string;
}

const confirmed = ({ confirmation }: Situation, policy: Policy): boolean =>
  (confirmation?.count ?? 0) >= policy.samplesToConfirm;

const hold = (cause: HoldCause, fact: Fact): Verdict => ({ kind: 'hold', cause, reason: fact.reason });

/** The failure matrix. From the row `both down` on, application and database are both down. */
export const DECISIONS: readonly DecisionRow[] = [
  {
    name: 'an operation is in progress',
    when: ({ operation }) => operation !== null,
    verdict: ({ operation }) => operating(operation),
    why: 'One thing at a time: what was begun is finished before anything else is decided.',
  },
  {
    name: 'the standby region serves',
    when: ({ activeRegion }) => activeRegion !== PRIMARY_REGION,
    verdict: (situation) => serving(situation),
    why: 'Coming back is a human decision: after a failover the controller watches and tells, nothing more.',
  },
  {
    name: 'both up',
    when: ({ facts }) => facts.app.reading === 'up' && facts.database.reading === 'up',
    verdict: ({ facts }) =>
      facts.standby.reading === 'up'
        ? { kind: 'healthy', standby: 'ready', reason: 'application and database answer' }
        : { kind: 'healthy', standby: 'not_ready', reason: `both answer, but the standby: ${facts.standby.reason}` },
    why: 'All is well; that the standby could not take over now is said in time of peace.',
  },
  {
    name: 'application down, database up',
    when: ({ facts }) => facts.app.reading === 'down' && facts.database.reading === 'up',
    verdict: ({ facts }) => ({ kind: 'application_down', reason: facts.app.reason }),
    why: 'The database, and with it every license, is alive: the team repairs the application.',
  },
  {
    name: 'application up, database down',
    when: ({ facts }) => facts.app.reading === 'up' && facts.database.reading === 'down',
    verdict: ({ facts }) => ({ kind: 'database_down', reason: facts.database.reason }),
    why: 'The database service replaces the database inside the region, and loses nothing by it.',
  },
  {
    name: 'application unknown',
    when: ({ facts }) => facts.app.reading === 'unknown',
    verdict: ({ facts }) => hold('application_unknown', facts.app),
    why: 'A look that failed for reasons of our own says nothing about the region.',
  },
  {
    name: 'database unknown',
    when: ({ facts }) => facts.database.reading === 'unknown',
    verdict: ({ facts }) => hold('database_unknown', facts.database),
    why: 'A look that failed for reasons of our own says nothing about the region.',
  },
  {
    name: 'both down, the witness sees it alive',
    when: ({ facts }) => facts.witness.reading === 'up',
    verdict: ({ facts }) => hold('witness_disagrees', facts.witness),
    why: 'Customers may see what the witness sees: it is we who are cut off.',
  },
  {
    name: 'both down, the follower still hears it',
    when: ({ facts, confirmation }) => (confirmation?.livedBefore ?? false) && facts.follower.reading === 'up',
    verdict: ({ facts }) => hold('follower_hears_primary', facts.follower),
    why: 'It has been heard since we lost it: nothing is being confirmed, and people should know why.',
  },
  {
    name: 'both down, it still renews',
    when: ({ facts, confirmation }) => (confirmation?.livedBefore ?? false) && facts.renewal.reading === 'up',
    verdict: ({ facts }) => hold('authority_renewed', facts.renewal),
    why: 'It has renewed its authority since we lost it: nothing is being confirmed, and people should know why.',
  },
  {
    name: 'both down, not confirmed',
    when: (situation, policy) => !confirmed(situation, policy),
    verdict: ({ confirmation }, policy) => ({
      kind: 'confirming',
      count: confirmation?.count ?? 0,
      needed: policy.samplesToConfirm,
      reason: `both down in ${confirmation?.count ?? 0} of ${policy.samplesToConfirm} samples`,
    }),
    why: 'A blink is no death: every sample of the whole window must say the same.',
  },
  {
    name: 'confirmed, the witness is silent',
    when: ({ facts }) => facts.witness.reading === 'unknown',
    verdict: ({ facts }) => hold('witness_unknown', facts.witness),
    why: 'Without a second pair of eyes we cannot tell a dead region from a dead link.',
  },
  {
    name: 'confirmed, the authority was renewed',
    when: ({ facts }) => facts.renewal.reading === 'up',
    verdict: ({ facts }) => hold('authority_renewed', facts.renewal),
    why: 'A renewal proves a server and a writable database alive, whatever the probes say.',
  },
  {
    name: 'confirmed, renewal unknown',
    when: ({ facts }) => facts.renewal.reading === 'unknown',
    verdict: ({ facts }) => hold('renewal_unknown', facts.renewal),
    why: 'A region that may still be renewing may still be granting.',
  },
  {
    name: 'confirmed, the follower hears its primary',
    when: ({ facts }) => facts.follower.reading === 'up',
    verdict: ({ facts }) => hold('follower_hears_primary', facts.follower),
    why: 'A stream that flows proves the primary database alive, whatever the probes say.',
  },
  {
    name: 'confirmed, the standby is not ready',
    when: ({ facts }) => facts.standby.reading !== 'up',
    verdict: ({ facts }) => ({ kind: 'standby_not_ready', reason: facts.standby.reason }),
    why: 'To fail over onto a region that cannot take over makes two dead regions of one.',
  },
  {
    name: 'confirmed, the follower cannot tell',
    when: ({ facts }) => facts.follower.reading === 'unknown',
    verdict: ({ facts }) => hold('follower_unknown', facts.follower),
    why: 'Its veto must have been asked for before it can be said that there was none.',
  },
  {
    name: 'confirmed and ready, not armed',
    when: ({ automation }) => automation.state !== 'armed',
    verdict: ({ automation }) => ({
      kind: 'withheld',
      automation: automation.state === 'paused' ? 'paused' : 'disarmed',
      reason: `the automation is ${automation.state} (${automation.by}: ${automation.reason})`,
    }),
    why: 'People have taken the decision to themselves: they are told that it is time to take it.',
  },
  {
    name: 'confirmed, ready and armed',
    when: () => true,
    verdict: ({ confirmation }) => ({
      kind: 'fail_over',
      reason: `application and database down in ${confirmation?.count} consecutive samples, the follower hears nothing, the witness agrees`,
    }),
    why: 'Nobody who could know better says that the region lives.',
  },
];

/** Names the state of affairs. Total: the last row always holds. */
export function decide(situation: Situation, policy: Policy): Verdict {
  const row = decidingRow(situation, policy);
  return row.verdict(situation, policy);
}

export function decidingRow(situation: Situation, policy: Policy): DecisionRow {
  const row = DECISIONS.find(({ when }) => when(situation, policy));
  if (row === undefined) throw new Error('the decision table has no last row');
  return row;
}

/** The verdict while an operation is in progress: it rests on no facts. */
export function operating(operation: Operation | null): Verdict {
  return { kind: 'operating', reason: `${operation?.kind}, in phase ${operation?.phase}` };
}

function serving({ facts, activeRegion }: Situation): Verdict {
  const watch = standbyWatch(facts);
  const reason = watch === 'well' ? `${activeRegion} serves` : `${facts.app.reason}; ${facts.database.reason}`;
  return { kind: 'serving_from_standby', watch, reason };
}

function standbyWatch({ app, database }: Facts): StandbyWatch {
  if (app.reading === 'unknown' || database.reading === 'unknown') return 'unknown';
  if (app.reading === 'down') return database.reading === 'down' ? 'both_down' : 'application_down';
  return database.reading === 'down' ? 'database_down' : 'well';
}
