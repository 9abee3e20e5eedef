/**
 * The bounds of the explored world: two regions, an independent authority store, clients with a few leases, one pool. Time
 * is a number of ticks.
 */
export interface Bounds {
  readonly seats: number;
  readonly escrow: number;
  readonly leaseTtl: number;
  readonly authorityLease: number;
  /** Number of leases; clients request each once. */
  readonly leases: number;
  /** Largest number of Oregon's commits in flight to the follower. */
  readonly tailMax: number;
}

/** A lease in a database. `exp` is the tick at which it ends. */
export interface ModelRow {
  readonly is: 'unknown' | 'live' | 'ended';
  readonly exp: number;
  /** The lease may have ended in the lost region, and its seat may have been granted again there. */
  readonly doubted?: boolean;
}

/** A lease token that a client has or that is in flight to it. */
export interface Token {
  readonly exp: number;
  readonly epoch: 1 | 2;
}

/** One commit of Oregon, in replication order. */
export interface Commit {
  readonly kind: 'grant' | 'renew' | 'end';
  readonly lease: number;
  readonly exp: number;
}

export interface State {
  readonly now: number;
  readonly authority: {
    readonly epoch: 1 | 2;
    /** Virginia opens its epoch at this tick; Oregon's proofs have expired by then. */
    readonly opensAt: number;
    readonly unprotected: boolean;
  };
  readonly oregon: {
    readonly rows: readonly ModelRow[];
    /** Commits that the follower has not received. */
    readonly tail: readonly Commit[];
    /** Grants that the follower has received without Oregon knowing it yet. */
    readonly grantsInDoubt: number;
    /** Its proof of authority is valid before this tick. */
    readonly provenUntil: number;
    /** Committed but not answered: the process may pause there. */
    readonly unanswered: readonly (Token | undefined)[];
    /** It has seen its own unprotected record in the authority store. */
    readonly unprotected: boolean;
  };
  readonly virginia: {
    readonly rows: readonly ModelRow[];
    readonly promoted: boolean;
    readonly opened: boolean;
    /** Unknown grants of Oregon that may still be adopted, until `waitsUntil`. */
    readonly awaited: number;
    readonly waitsUntil: number;
  };
  readonly clients: readonly {
    readonly token: Token | undefined;
    readonly inFlight: Token | undefined;
    readonly released: boolean;
    /** An administrator took the lease back in Oregon, without the holder's knowledge. */
    readonly takenBack: boolean;
  }[];
}

export function startOf(bounds: Bounds): State {
  const each = <T>(value: T): readonly T[] => Array.from({ length: bounds.leases }, () => value);
  const rows = each<ModelRow>({ is: 'unknown', exp: 0 });
  return {
    now: 0,
    authority: { epoch: 1, opensAt: 0, unprotected: false },
    oregon: { rows, tail: [], grantsInDoubt: 0, provenUntil: 0, unanswered: each(undefined), unprotected: false },
    virginia: { rows, promoted: false, opened: false, awaited: 0, waitsUntil: 0 },
    clients: each({ token: undefined, inFlight: undefined, released: false, takenBack: false }),
  };
}

/** A copy of a list with one element replaced. */
export function withAt<T>(list: readonly T[], index: number, value: T): readonly T[] {
  return list.map((each, at) => (at === index ? value : each));
}

/**
 * Seats in Oregon that were taken back and must not be sold yet: the follower lacks the end of the lease, and a token of it
 * may still be valid.
 */
export function takenBackUnreplicated({ now, oregon, clients }: State): number {
  return oregon.tail.filter(({ kind, lease, exp }) => kind === 'end' && exp > now && clients[lease]?.takenBack).length;
}

export function taken(rows: readonly ModelRow[]): number {
  return rows.filter((row) => row.is === 'live').length;
}

/**
 * Whether a client relies on its lease: it has not expired; or it expired when no region could renew it, and the new region
 * still awaits it.
 */
export function isHeld({ now, authority, virginia, clients }: State, lease: number): boolean {
  const client = clients[lease];
  if (!client?.token || client.released) return false;
  // A token of Oregon no longer counts then. A region that renews the lease afterwards makes it held again.
  if (client.takenBack && client.token.epoch === 1) return false;
  if (client.token.exp > now) return true;
  const outlivedOregon = client.token.epoch === 1 && virginia.promoted && client.token.exp > authority.opensAt;
  return outlivedOregon && (!virginia.opened || now < virginia.waitsUntil);
}
