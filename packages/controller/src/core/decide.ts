import { otherRegion, type Region } from '@evergrant/core/regions';
import type { Confirmation } from './confirmation';
import type { Automation } from './control-record';
import type { Fact, Facts } from './facts';
import type { Operation } from './operations';
import type { Policy } from './policy';
import type { ActiveRegionWatch, HoldCause, Verdict } from './verdicts';

/** The input of a decision: the facts of this sample, and the memory in the control record. */
export interface Situation {
  readonly facts: Facts;
  readonly activeRegion: Region;
  readonly automation: Automation;
  /** The standby region has not rejoined since the active one took over. */
  readonly rejoinPending: boolean;
  readonly confirmation: Confirmation | undefined;
  readonly operation: Operation | undefined;
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
    when: ({ operation }) => operation !== undefined,
    verdict: ({ operation }) => operating(operation),
    why: 'An operation that has started is finished before anything else is decided.',
  },
  {
    name: 'the standby region has not rejoined',
    when: ({ rejoinPending }) => rejoinPending,
    verdict: (situation) => servingAlone(situation),
    why: 'The database of the other region may lack commits: only an operator may accept their loss.',
  },
  {
    name: 'both up',
    when: ({ facts }) => facts.app.reading === 'up' && facts.database.reading === 'up',
    verdict: ({ facts }) =>
      facts.standby.reading === 'up'
        ? { kind: 'healthy', standby: 'ready', reason: 'application and database answer' }
        : { kind: 'healthy', standby: 'not_ready', reason: `both answer, but the standby: ${facts.standby.reason}` },
    why: 'The region is healthy. A standby that could not take over raises an alert during normal operation.',
  },
  {
    name: 'application down, database up',
    when: ({ facts }) => facts.app.reading === 'down' && facts.database.reading === 'up',
    verdict: ({ facts }) => ({ kind: 'application_down', reason: facts.app.reason }),
    why: 'The database, and with it every lease, is alive: the team repairs the application.',
  },
  {
    name: 'application up, database down',
    when: ({ facts }) => facts.app.reading === 'up' && facts.database.reading === 'down',
    verdict: ({ facts }) => ({ kind: 'database_down', reason: facts.database.reason }),
    why: 'The database service replaces the database inside the region without loss.',
  },
  {
    name: 'application unknown',
    when: ({ facts }) => facts.app.reading === 'unknown',
    verdict: ({ facts }) => hold('application_unknown', facts.app),
    why: 'A probe that failed for a reason of our own is no evidence about the region.',
  },
  {
    name: 'database unknown',
    when: ({ facts }) => facts.database.reading === 'unknown',
    verdict: ({ facts }) => hold('database_unknown', facts.database),
    why: 'A probe that failed for a reason of our own is no evidence about the region.',
  },
  {
    name: 'both down, the witness sees it alive',
    when: ({ facts }) => facts.witness.reading === 'up',
    verdict: ({ facts }) => hold('witness_disagrees', facts.witness),
    why: 'Customers may reach the region as the witness does: the controller itself is cut off.',
  },
  {
    name: 'both down, the follower still receives',
    when: ({ facts, confirmation }) => (confirmation?.livedBefore ?? false) && facts.follower.reading === 'up',
    verdict: ({ facts }) => hold('follower_hears_primary', facts.follower),
    why: 'The follower has received from it since the probes failed: no confirmation is in progress, and the hold names the reason.',
  },
  {
    name: 'both down, it still renews',
    when: ({ facts, confirmation }) => (confirmation?.livedBefore ?? false) && facts.renewal.reading === 'up',
    verdict: ({ facts }) => hold('authority_renewed', facts.renewal),
    why: 'It has renewed its authority since the probes failed: no confirmation is in progress, and the hold names the reason.',
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
    why: 'A transient fault is no outage: every sample of the window must find both down.',
  },
  {
    name: 'confirmed, the witness is unknown',
    when: ({ facts }) => facts.witness.reading === 'unknown',
    verdict: ({ facts }) => hold('witness_unknown', facts.witness),
    why: 'Without a second observer a dead region looks the same as a dead link.',
  },
  {
    name: 'confirmed, the authority was renewed',
    when: ({ facts }) => facts.renewal.reading === 'up',
    verdict: ({ facts }) => hold('authority_renewed', facts.renewal),
    why: 'A renewal proves that a server and a writable database are alive, even if every probe fails.',
  },
  {
    name: 'confirmed, renewal unknown',
    when: ({ facts }) => facts.renewal.reading === 'unknown',
    verdict: ({ facts }) => hold('renewal_unknown', facts.renewal),
    why: 'A region that may still be renewing may still be granting.',
  },
  {
    name: 'confirmed, the follower receives',
    when: ({ facts }) => facts.follower.reading === 'up',
    verdict: ({ facts }) => hold('follower_hears_primary', facts.follower),
    why: 'A flowing stream proves that the primary database is alive, even if every probe fails.',
  },
  {
    name: 'confirmed, the standby is not ready',
    when: ({ facts }) => facts.standby.reading !== 'up',
    verdict: ({ facts }) => ({ kind: 'standby_not_ready', reason: facts.standby.reason }),
    why: 'A failover to a region that cannot take over turns one dead region into two.',
  },
  {
    name: 'confirmed, the follower is unknown',
    when: ({ facts }) => facts.follower.reading === 'unknown',
    verdict: ({ facts }) => hold('follower_unknown', facts.follower),
    why: 'The follower has a veto: its state must be known before the failover.',
  },
  {
    name: 'confirmed and ready, not armed',
    when: ({ automation }) => automation.state !== 'armed',
    verdict: ({ automation }) => ({
      kind: 'withheld',
      automation: automation.state === 'paused' ? 'paused' : 'disarmed',
      reason: `the automation is ${automation.state} (${automation.by}: ${automation.reason})`,
    }),
    why: 'Operators have reserved the decision: an alert asks them to decide.',
  },
  {
    name: 'confirmed, ready and armed',
    when: () => true,
    verdict: ({ confirmation }) => ({
      kind: 'fail_over',
      reason: `application and database down in ${confirmation?.count} consecutive samples, the follower receives nothing, the witness agrees`,
    }),
    why: 'No evidence contradicts the outage.',
  },
];

/** Returns the verdict of the first row that holds. Total: the last row always holds. */
export function decide(situation: Situation, policy: Policy): Verdict {
  const row = decidingRow(situation, policy);
  return row.verdict(situation, policy);
}

export function decidingRow(situation: Situation, policy: Policy): DecisionRow {
  const row = DECISIONS.find(({ when }) => when(situation, policy));
  if (row === undefined) throw new Error('the decision table has no last row');
  return row;
}

/** The verdict while an operation is in progress. It does not depend on the facts. */
export function operating(operation: Operation | undefined): Verdict {
  return { kind: 'operating', reason: `${operation?.kind}, in phase ${operation?.phase}` };
}

function servingAlone({ facts, activeRegion }: Situation): Verdict {
  const watch = activeRegionWatch(facts);
  const reason =
    watch === 'well'
      ? `${activeRegion} serves, and ${otherRegion(activeRegion)} has not rejoined`
      : `${facts.app.reason}; ${facts.database.reason}`;
  return { kind: 'not_rejoined', watch, reason };
}

function activeRegionWatch({ app, database }: Facts): ActiveRegionWatch {
  if (app.reading === 'unknown' || database.reading === 'unknown') return 'unknown';
  if (app.reading === 'down') return database.reading === 'down' ? 'both_down' : 'application_down';
  return database.reading === 'down' ? 'database_down' : 'well';
}
