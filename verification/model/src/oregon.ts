import type { Rules } from './rules';
import {
  type Bounds,
  type Commit,
  isHeld,
  type ModelRow,
  type State,
  type Token,
  taken,
  takenBackUnreplicated,
  withAt,
} from './state';
import type { ModelStep } from './steps';

/**
 * Steps of Oregon's servers, whose database stays primary. A decision requires no proof here, because a process may pause
 * between its check and its transaction. Only an answer requires one.
 */
export function oregonSteps(state: State, rules: Rules, bounds: Bounds): ModelStep[] {
  const mayAnswer = !rules.proofToAnswer || isProven(state);
  const mayCommit = state.oregon.tail.length < bounds.tailMax;
  return [
    ...proofSteps(state, rules, bounds),
    ...state.clients.flatMap((_, lease) => [
      ...(mayAnswer ? answers(state, lease) : []),
      ...(mayCommit ? decide(state, lease, rules, bounds) : []),
    ]),
  ];
}

function isProven({ now, oregon }: State): boolean {
  return now < oregon.provenUntil;
}

function proofSteps(state: State, rules: Rules, bounds: Bounds): ModelStep[] {
  const { now, authority, oregon, virginia } = state;
  const provenUntil = now + bounds.authorityLease;
  const proven = { ...oregon, provenUntil };
  const steps: ModelStep[] = [];
  if (authority.epoch === 1) {
    if (oregon.provenUntil < provenUntil)
      steps.push({ what: 'Oregon renews its authority', next: { ...state, oregon: proven } });
    if (!authority.unprotected) {
      const next = {
        ...state,
        authority: { ...authority, unprotected: true },
        oregon: { ...oregon, unprotected: true },
      };
      steps.push({ what: 'Oregon records that it grants unprotected', next });
    }
  }
  if (!rules.unprotectedIsRecorded && !oregon.unprotected) {
    steps.push({
      what: 'Oregon begins to grant unprotected without a record',
      next: { ...state, oregon: { ...oregon, unprotected: true } },
    });
  }
  // A beacon follows the commits in the log: its acknowledgement covers all of them.
  if (!virginia.promoted && oregon.tail.length === 0 && oregon.provenUntil < provenUntil) {
    steps.push({
      what: 'the follower acknowledges a beacon',
      next: { ...state, oregon: { ...proven, grantsInDoubt: 0 } },
    });
  }
  return steps;
}

/** Sends an answer; a repeated request may be answered twice. */
function answers(state: State, lease: number): ModelStep[] {
  const { oregon, clients } = state;
  if (oregon.rows[lease]?.is === 'ended') {
    if (!isHeld(state, lease)) return [];
    const violation = `Oregon reports lease ${lease} as ended while it is held`;
    return [{ what: `Oregon rejects lease ${lease}`, next: state, violation }];
  }
  const token = oregon.unanswered[lease];
  const client = clients[lease];
  if (!token || !client || client.inFlight) return [];
  const next = {
    ...state,
    oregon: { ...oregon, unanswered: withAt(oregon.unanswered, lease, undefined) },
    clients: withAt(clients, lease, { ...client, inFlight: token }),
  };
  return [{ what: `Oregon answers for lease ${lease}`, next }];
}

function decide(state: State, lease: number, rules: Rules, bounds: Bounds): ModelStep[] {
  const row = state.oregon.rows[lease] as ModelRow;
  switch (row.is) {
    case 'unknown':
      return mayGrant(state, lease, rules, bounds)
        ? [{ what: `Oregon grants lease ${lease}`, next: committed(state, grantOf(state, lease, bounds), true) }]
        : [];
    case 'live':
      if (row.exp > state.now) return isHeld(state, lease) ? renewOrRelease(state, lease, bounds) : [];
      return [
        { what: `lease ${lease} expires in Oregon`, next: committed(state, { kind: 'end', lease, exp: row.exp }) },
      ];
    case 'ended':
      return [];
  }
}

function mayGrant(state: State, lease: number, rules: Rules, bounds: Bounds): boolean {
  const { oregon, clients } = state;
  const unsold = rules.takeBackWaits ? takenBackUnreplicated(state) : 0;
  if (clients[lease]?.token || taken(oregon.rows) + unsold >= bounds.seats) return false;
  const unacknowledged = oregon.grantsInDoubt + oregon.tail.filter((commit) => commit.kind === 'grant').length;
  return !rules.escrow || oregon.unprotected || unacknowledged < bounds.escrow;
}

function grantOf({ now }: State, lease: number, bounds: Bounds): Commit {
  return { kind: 'grant', lease, exp: now + bounds.leaseTtl };
}

function renewOrRelease(state: State, lease: number, bounds: Bounds): ModelStep[] {
  const { now, oregon, clients } = state;
  const row = oregon.rows[lease] as ModelRow;
  const client = clients[lease] as State['clients'][number];
  const exp = now + bounds.leaseTtl;
  const given = { ...state, clients: withAt(clients, lease, { ...client, released: true }) };
  const steps: ModelStep[] = [
    { what: `lease ${lease} is released in Oregon`, next: committed(given, { kind: 'end', lease, exp: row.exp }) },
  ];
  const takenBack = { ...state, clients: withAt(clients, lease, { ...client, takenBack: true }) };
  steps.push({
    what: `an administrator takes lease ${lease} back in Oregon`,
    next: committed(takenBack, { kind: 'end', lease, exp: row.exp }),
  });
  if (row.exp < exp) {
    steps.push({ what: `Oregon renews lease ${lease}`, next: committed(state, { kind: 'renew', lease, exp }, true) });
  }
  return steps;
}

function committed(state: State, commit: Commit, answered = false): State {
  const { oregon } = state;
  const { kind, lease, exp } = commit;
  const token: Token | undefined = answered ? { exp, epoch: 1 } : undefined;
  return {
    ...state,
    oregon: {
      ...oregon,
      rows: withAt(oregon.rows, lease, { is: kind === 'end' ? 'ended' : 'live', exp }),
      tail: [...oregon.tail, commit],
      unanswered: withAt(oregon.unanswered, lease, token),
    },
  };
}
