/** All possible next steps. A step may always be omitted, which covers delays and losses. */
import { oregonSteps } from './oregon';
import type { Rules } from './rules';
import { type Bounds, isHeld, type ModelRow, type State, withAt } from './state';
import { virginiaSteps } from './virginia';

export interface ModelStep {
  readonly what: string;
  readonly next: State;
  /** The step itself breaks a promise: a holder was turned away. */
  readonly violation?: string;
}

export function stepsFrom(state: State, rules: Rules, bounds: Bounds): ModelStep[] {
  const steps = [
    ...replicationSteps(state),
    ...failoverSteps(state, rules, bounds),
    ...state.clients.flatMap((_, lease) => deliveries(state, lease)),
  ];
  steps.push(...oregonSteps(state, rules, bounds), ...virginiaSteps(state, rules, bounds));
  steps.push({ what: 'a tick passes', next: { ...state, now: state.now + 1 } });
  return steps;
}

/** The violation in a state, if any. */
export function violationIn(state: State, bounds: Bounds): string | undefined {
  const held = state.clients.filter((_, lease) => isHeld(state, lease)).length;
  return held > bounds.seats ? `${held} leases are held of a pool of ${bounds.seats} seats` : undefined;
}

function replicationSteps(state: State): ModelStep[] {
  const { oregon, virginia } = state;
  const steps: ModelStep[] = [];
  const [commit, ...tail] = oregon.tail;
  if (!virginia.promoted && commit) {
    const row: ModelRow = { is: commit.kind === 'end' ? 'ended' : 'live', exp: commit.exp };
    const rows = withAt(virginia.rows, commit.lease, row);
    const grantsInDoubt = oregon.grantsInDoubt + (commit.kind === 'grant' ? 1 : 0);
    const next = { ...state, oregon: { ...oregon, tail, grantsInDoubt }, virginia: { ...virginia, rows } };
    steps.push({ what: `the follower receives: ${commit.kind} lease ${commit.lease}`, next });
  }
  if (oregon.grantsInDoubt > 0) {
    steps.push({
      what: 'an acknowledgement reaches Oregon',
      next: { ...state, oregon: { ...oregon, grantsInDoubt: 0 } },
    });
  }
  return steps;
}

/** The controller may fail over at any time: safety does not depend on its verdict. */
function failoverSteps(state: State, rules: Rules, bounds: Bounds): ModelStep[] {
  const { authority, virginia, now } = state;
  if (authority.epoch === 1) {
    return [
      {
        what: 'epoch 2 is latched for Virginia',
        next: { ...state, authority: { ...authority, epoch: 2, opensAt: Number.POSITIVE_INFINITY } },
      },
    ];
  }
  if (!virginia.promoted) {
    // Until now the follower may have acknowledged, and no renewal is younger than the latch.
    const opensAt = rules.openingWaits ? now + bounds.authorityLease : now;
    return [
      {
        what: 'the follower is promoted',
        next: { ...state, authority: { ...authority, opensAt }, virginia: { ...virginia, promoted: true } },
      },
    ];
  }
  return [];
}

function deliveries(state: State, lease: number): ModelStep[] {
  const client = state.clients[lease];
  if (!client?.inFlight) return [];
  // An answer that is older than a received one changes nothing.
  const newer =
    !client.token ||
    client.inFlight.epoch > client.token.epoch ||
    (client.inFlight.epoch === client.token.epoch && client.inFlight.exp > client.token.exp);
  const token = newer ? client.inFlight : client.token;
  const clients = withAt(state.clients, lease, { ...client, token, inFlight: undefined });
  return [{ what: `client of lease ${lease} reads its answer`, next: { ...state, clients } }];
}
