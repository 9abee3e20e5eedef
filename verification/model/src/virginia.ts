import type { Rules } from './rules';
import { type Bounds, isHeld, type ModelRow, type State, taken, withAt } from './state';
import type { ModelStep } from './steps';

/** Steps of Virginia's servers after the promotion of their database. */
export function virginiaSteps(state: State, rules: Rules, bounds: Bounds): ModelStep[] {
  const { now, authority, virginia } = state;
  if (!virginia.promoted || now < authority.opensAt) return [];
  if (!virginia.opened) return [{ what: 'Virginia opens epoch 2', next: opening(state, rules, bounds) }];
  return [...lapsing(state), ...state.clients.flatMap((_, lease) => decide(state, lease, rules, bounds))];
}

function opening(state: State, rules: Rules, bounds: Bounds): State {
  const { now, authority, virginia } = state;
  const waitsUntil = now + bounds.leaseTtl + bounds.authorityLease;
  const rows = virginia.rows.map((row): ModelRow => {
    if (row.is !== 'live') return row;
    const exp = rules.extension ? Math.max(row.exp, waitsUntil) : row.exp;
    return { ...row, exp, doubted: rules.doubt && row.exp <= authority.opensAt };
  });
  const everything = authority.unprotected && rules.unprotectedHoldsBackAll;
  const awaited = rules.holdBack ? (everything ? bounds.seats : bounds.escrow) : 0;
  return { ...state, virginia: { ...virginia, opened: true, rows, awaited, waitsUntil } };
}

function lapsing(state: State): ModelStep[] {
  const { now, virginia } = state;
  const steps: ModelStep[] = [];
  if (virginia.awaited > 0 && virginia.waitsUntil <= now) {
    steps.push({ what: 'Virginia frees what it held back', next: { ...state, virginia: { ...virginia, awaited: 0 } } });
  }
  for (const [lease, row] of virginia.rows.entries()) {
    if (row.is === 'live' && row.exp <= now) {
      const rows = withAt<ModelRow>(virginia.rows, lease, { ...row, is: 'ended' });
      steps.push({ what: `lease ${lease} expires in Virginia`, next: { ...state, virginia: { ...virginia, rows } } });
    }
  }
  return steps;
}

function decide(state: State, lease: number, rules: Rules, bounds: Bounds): ModelStep[] {
  const row = state.virginia.rows[lease] as ModelRow;
  const client = state.clients[lease];
  if (!client || client.released) return [];
  switch (row.is) {
    case 'live':
      return decideLive(state, lease, bounds);
    case 'ended':
      return isHeld(state, lease) ? [rejected(state, lease, 'it ended')] : [];
    case 'unknown':
      return client.token ? adopt(state, lease, rules, bounds) : grant(state, lease, bounds);
  }
}

function decideLive(state: State, lease: number, bounds: Bounds): ModelStep[] {
  const { now, virginia, clients } = state;
  const row = virginia.rows[lease] as ModelRow;
  const token = clients[lease]?.token;
  const steps: ModelStep[] = [];
  const renewedUntil = Math.max(row.exp, now + bounds.leaseTtl);
  const news = token?.epoch !== 2 || token.exp < renewedUntil;
  if (row.exp > now && news) {
    if (!row.doubted || outlivesOregon(state, lease)) {
      steps.push({ what: `Virginia renews lease ${lease}`, next: granted(state, lease, renewedUntil) });
    } else if (isHeld(state, lease)) steps.push(rejected(state, lease, 'it is in doubt'));
  }
  if (isHeld(state, lease))
    steps.push({ what: `lease ${lease} is released in Virginia`, next: released(state, lease) });
  return steps;
}

/** Whether the client's token outlives the last moment at which Oregon could end the lease. */
function outlivesOregon({ authority, clients }: State, lease: number): boolean {
  const token = clients[lease]?.token;
  return token !== undefined && token.exp > authority.opensAt;
}

function rejected(state: State, lease: number, reason: string): ModelStep {
  return {
    what: `Virginia rejects lease ${lease}`,
    next: state,
    violation: `lease ${lease} is held, and Virginia rejects it: ${reason}`,
  };
}

function free({ virginia }: State, bounds: Bounds): number {
  const left = Math.max(0, bounds.seats - taken(virginia.rows));
  return left - Math.min(virginia.awaited, left);
}

function adopt(state: State, lease: number, rules: Rules, bounds: Bounds): ModelStep[] {
  const { now, virginia } = state;
  const what = `Virginia adopts lease ${lease}`;
  const exp = now + bounds.leaseTtl;
  const room = rules.adoptionIntoFullPool || taken(virginia.rows) < bounds.seats;
  if (rules.adoption && virginia.awaited > 0 && room && (!rules.doubt || outlivesOregon(state, lease))) {
    const adopted = granted(state, lease, exp);
    return [{ what, next: { ...adopted, virginia: { ...adopted.virginia, awaited: virginia.awaited - 1 } } }];
  }
  if (rules.adoption && free(state, bounds) > 0) return [{ what, next: granted(state, lease, exp) }];
  return isHeld(state, lease) ? [rejected(state, lease, 'it is unknown')] : [];
}

function grant(state: State, lease: number, bounds: Bounds): ModelStep[] {
  if (free(state, bounds) < 1) return [];
  return [{ what: `Virginia grants lease ${lease}`, next: granted(state, lease, state.now + bounds.leaseTtl) }];
}

/** Virginia never loses its authority in this model, so its commit and its answer are one step. */
function granted(state: State, lease: number, exp: number): State {
  const { virginia, clients } = state;
  const client = clients[lease] as State['clients'][number];
  return {
    ...state,
    virginia: { ...virginia, rows: withAt(virginia.rows, lease, { is: 'live', exp }) },
    clients: withAt(clients, lease, { ...client, token: { exp, epoch: 2 } }),
  };
}

function released(state: State, lease: number): State {
  const { virginia, clients } = state;
  const client = clients[lease] as State['clients'][number];
  const row: ModelRow = { is: 'ended', exp: 0 };
  return {
    ...state,
    virginia: { ...virginia, rows: withAt(virginia.rows, lease, row) },
    clients: withAt(clients, lease, { ...client, released: true }),
  };
}
