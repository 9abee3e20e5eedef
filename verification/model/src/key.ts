import type { ModelRow, State, Token } from './state';

/**
 * One key for all states with the same future: leases are interchangeable, and only the distance of future moments counts.
 * So the number of states is finite although time is not.
 */
export function keyOf(state: State): string {
  const { now, authority, oregon, virginia, clients } = state;
  const leases = clients.map((_, lease) => leaseKey(state, lease)).sort();
  return (
    String.fromCharCode(
      authority.epoch,
      Number.isFinite(authority.opensAt) ? ahead(authority.opensAt, now) : 100,
      oregon.grantsInDoubt,
      ahead(oregon.provenUntil, now),
      flags(authority.unprotected, oregon.unprotected, virginia.promoted, virginia.opened),
      virginia.awaited,
      ahead(virginia.waitsUntil, now),
    ) + leases.join('|')
  );
}

function ahead(moment: number, now: number): number {
  return Math.max(0, moment - now);
}

function leaseKey(state: State, lease: number): string {
  const { now, oregon, virginia, clients } = state;
  const client = clients[lease];
  const numbers = [
    rowKey(oregon.rows[lease], now),
    rowKey(virginia.rows[lease], now),
    tokenKey(oregon.unanswered[lease], state),
  ];
  if (client?.takenBack) numbers.push(1001);
  if (client?.released) numbers.push(1000);
  else numbers.push(tokenKey(client?.token, state), tokenKey(client?.inFlight, state));
  oregon.tail.forEach((commit, place) => {
    if (commit.lease === lease) numbers.push(place, KINDS.indexOf(commit.kind), ahead(commit.exp, now));
  });
  return String.fromCharCode(...numbers);
}

const KINDS = ['grant', 'renew', 'end'];

function rowKey(row: ModelRow | undefined, now: number): number {
  if (row?.is !== 'live') return row?.is === 'ended' ? 1 : 0;
  return 2 + 2 * ahead(row.exp, now) + (row.doubted ? 1 : 0);
}

/** Contains the token's remaining time and, once known, whether it outlives Oregon's last moment. */
function tokenKey(token: Token | undefined, { now, authority, virginia }: State): number {
  if (!token) return 0;
  const outlives = virginia.promoted && token.exp > authority.opensAt;
  return 1 + flags(token.epoch === 2, outlives) + 4 * ahead(token.exp, now);
}

function flags(...all: boolean[]): number {
  return all.reduce((sum, flag) => sum * 2 + (flag ? 1 : 0), 0);
}
