/**
 * The small world in which the granting rules are explored completely: two regions, an authority store that stands
 * apart from both, two clients with three leases between them, one pool. Time is a number of ticks.
 */
export interface Bounds {
  readonly seats: number;
  readonly escrow: number;
  readonly leaseTtl: number;
  readonly authorityLease: number;
  /** How many leases the clients ask for, each once. */
  readonly leases: number;
  /** Oregon makes no commit while so many are on their way to the follower. */
  readonly tailMax: number;
}

/** A lease in a database. `exp` is the tick at which it ends. */
export interface Row {
  readonly is: 'unknown' | 'live' | 'ended';
  readonly exp: number;
  /** It may have ended in the lost region, and its seat may have been sold again there. */
  readonly doubted?: boolean;
}

/** What a client was given, or what is on its way to it. */
export interface Token {
  readonly exp: number;
  readonly epoch: 1 | 2;
}

/** One commit of Oregon, in the order in which the follower gets them. */
export interface Commit {
  readonly kind: 'grant' | 'renew' | 'end';
  readonly lease: number;
  readonly exp: number;
}

export interface State {
  readonly now: number;
  readonly authority: {
    readonly epoch: 1 | 2;
    /** Oregon decides nothing from this tick on; Virginia waits for it. */
    readonly opensAt: number;
    readonly unprotected: boolean;
  };
  readonly oregon: {
    readonly rows: readonly Row[];
    /** Commits that the follower has not received. */
    readonly tail: readonly Commit[];
    /** Grants that it has received, while Oregon does not know it yet. */
    readonly grantsInDoubt: number;
    /** Its proof of authority is good before this tick. */
    readonly provenUntil: number;
    /** Committed and not answered: the process may be stopped right there. */
    readonly unanswered: readonly (Token | undefined)[];
    /** It has seen its own record in the authority store say that it grants unprotected. */
    readonly unprotected: boolean;
  };
  readonly virginia: {
    readonly rows: readonly Row[];
    readonly promoted: boolean;
    readonly opened: boolean;
    /** Unknown grants of Oregon that may yet come to light, until `waitsUntil`. */
    readonly awaited: number;
    readonly waitsUntil: number;
  };
  readonly clients: readonly {
    readonly token: Token | undefined;
    readonly onItsWay: Token | undefined;
    readonly released: boolean;
  }[];
}

export function startOf(bounds: Bounds): State {
  const each = <T>(value: T): readonly T[] => Array.from({ length: bounds.leases }, () => value);
  const rows = each<Row>({ is: 'unknown', exp: 0 });
  return {
    now: 0,
    authority: { epoch: 1, opensAt: 0, unprotected: false },
    oregon: { rows, tail: [], grantsInDoubt: 0, provenUntil: 0, unanswered: each(undefined), unprotected: false },
    virginia: { rows, promoted: false, opened: false, awaited: 0, waitsUntil: 0 },
    clients: each({ token: undefined, onItsWay: undefined, released: false }),
  };
}

/** A copy of a list with one place changed. */
export function withAt<T>(list: readonly T[], index: number, value: T): readonly T[] {
  return list.map((each, at) => (at === index ? value : each));
}

export function taken(rows: readonly Row[]): number {
  return rows.filter((row) => row.is === 'live').length;
}

/**
 * A lease that its client relies on: its time has not passed; or it passed when nobody was left to renew it, and the
 * region that takes over has not yet given up waiting for it.
 */
export function isHeld({ now, authority, virginia, clients }: State, lease: number): boolean {
  const client = clients[lease];
  if (!client?.token || client.released) return false;
  if (client.token.exp > now) return true;
  const outlivedOregon = client.token.epoch === 1 && virginia.promoted && client.token.exp > authority.opensAt;
  return outlivedOregon && (!virginia.opened || now < virginia.waitsUntil);
}
