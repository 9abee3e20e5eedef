/**
 * The checker's own account of who held what, kept from the clients' side alone: it reads every response the Control
 * Rooms got and believes no server. Pure.
 *
 * A lease counts as held from the moment its 201 was *received* until the moment its release was *sent*, its end was
 * told, or its last known expiry passed. The server's own interval contains this one, so two seats that overlap here
 * were certainly sold twice.
 */

import { poolName } from './license';

export interface Exchange {
  /** Milliseconds on one monotonic clock: when the request was sent, and when its response was complete. */
  readonly sentAtMs: number;
  readonly receivedAtMs: number;
  readonly method: 'PUT' | 'POST' | 'DELETE';
  readonly leaseId: string;
  /** HTTP status, or undefined where no response came (time-out, refused, reset). */
  readonly status: number | undefined;
  readonly code?: string | undefined;
  readonly product: string;
  readonly feature: string;
  readonly seats: number;
  readonly epoch?: number | undefined;
  readonly servedBy?: string | undefined;
  readonly token?: string | undefined;
  /** `expiresAt` on the monotonic clock. */
  readonly expiresAtMs?: number | undefined;
  /** The grant said that it is beyond the seats that were sold. */
  readonly overdraft?: boolean | undefined;
  /** A place in line (202). */
  readonly position?: number | undefined;
  /** Which registered Control Room asked. */
  readonly controlRoom?: string | undefined;
  /** Which client asked. When nobody answers it, it asks for one of its leases in the name of all. */
  readonly client?: string | undefined;
}

export interface Holding {
  readonly leaseId: string;
  readonly pool: string;
  readonly seats: number;
  readonly epoch: number;
  readonly servedBy: string;
  /** When the request was sent that the first 201 answered. */
  readonly askedAtMs: number;
  readonly fromMs: number;
  /** Exclusive end of what the client certainly held; Infinity never: an expiry bounds every lease. */
  untilMs: number;
  /** When it was last granted or renewed. */
  heardAtMs: number;
  /**
   * Why it ended, or undefined while the client still holds it. `told-ended` is a loss: a server said so before its time
   * was over, or afterwards though its holder had asked in time. `lapsed`: its holder had not.
   */
  ended?: 'release-sent' | 'told-ended' | 'lapsed' | undefined;
  token: string | undefined;
  readonly overdraft: boolean;
  readonly controlRoom: string | undefined;
}

/** Builds the holdings out of all exchanges. Order of input does not matter. */
export function holdingsOf(exchanges: readonly Exchange[]): Map<string, Holding> {
  const holdings = new Map<string, Holding>();
  const inOrder = [...exchanges].sort((left, right) => left.receivedAtMs - right.receivedAtMs);
  const inVain = renewalsInVain(exchanges);
  for (const exchange of inOrder) {
    if (exchange.method === 'PUT' && exchange.status === 201) open(holdings, exchange);
    else if (exchange.method === 'POST') renewOrEnd(holdings, exchange, inVain);
  }
  // A release ends the holding when it is *sent*, whatever came back, so it is applied after every renewal.
  for (const exchange of inOrder) if (exchange.method === 'DELETE') endAtSending(holdings, exchange);
  return holdings;
}

function open(holdings: Map<string, Holding>, exchange: Exchange): void {
  const known = holdings.get(exchange.leaseId);
  const untilMs = exchange.expiresAtMs ?? exchange.receivedAtMs;
  if (known) {
    known.untilMs = Math.max(known.untilMs, untilMs);
    known.heardAtMs = exchange.receivedAtMs;
    known.token = exchange.token ?? known.token;
    return;
  }
  holdings.set(exchange.leaseId, {
    leaseId: exchange.leaseId,
    pool: poolName(exchange.product, exchange.feature),
    seats: exchange.seats,
    epoch: exchange.epoch ?? -1,
    servedBy: exchange.servedBy ?? '?',
    askedAtMs: exchange.sentAtMs,
    fromMs: exchange.receivedAtMs,
    untilMs,
    heardAtMs: exchange.receivedAtMs,
    token: exchange.token,
    overdraft: exchange.overdraft === true,
    controlRoom: exchange.controlRoom,
  });
}

/** Who asked: leases of one client are asked for together. */
const askerOf = ({ client, leaseId }: Exchange): string => client ?? leaseId;

/** When each client asked for a renewal and was neither given it nor told that the lease is gone. */
function renewalsInVain(exchanges: readonly Exchange[]): ReadonlyMap<string, readonly number[]> {
  const inVain = new Map<string, number[]>();
  for (const exchange of exchanges) {
    if (exchange.method !== 'POST' || exchange.status === 200 || isEnd(exchange)) continue;
    const asker = askerOf(exchange);
    const times = inVain.get(asker) ?? [];
    times.push(exchange.sentAtMs);
    inVain.set(asker, times);
  }
  return inVain;
}

const isEnd = ({ status }: Exchange): boolean => status === 404 || status === 410;

function renewOrEnd(
  holdings: Map<string, Holding>,
  exchange: Exchange,
  inVain: ReadonlyMap<string, readonly number[]>,
): void {
  const holding = holdings.get(exchange.leaseId);
  if (!holding) return;
  if (exchange.status === 200 && exchange.expiresAtMs !== undefined) {
    holding.untilMs = Math.max(holding.untilMs, exchange.expiresAtMs);
    holding.heardAtMs = exchange.receivedAtMs;
    holding.token = exchange.token ?? holding.token;
  } else if (isEnd(exchange) && holding.ended === undefined) {
    const { untilMs } = holding;
    const inTime = askedInTime(holding, [exchange.sentAtMs, ...(inVain.get(askerOf(exchange)) ?? [])]);
    holding.ended = inTime || exchange.receivedAtMs < untilMs ? 'told-ended' : 'lapsed';
    holding.untilMs = Math.min(untilMs, exchange.receivedAtMs);
  }
}

/**
 * Whoever was silent until its time had passed has lost nothing that it was promised. Whoever asked and was not heard
 * was not silent: the region that takes over has to have waited for it (S4).
 */
function askedInTime({ heardAtMs, untilMs }: Holding, sentAtMs: readonly number[]): boolean {
  return sentAtMs.some((askedAtMs) => askedAtMs >= heardAtMs && askedAtMs < untilMs);
}

function endAtSending(holdings: Map<string, Holding>, exchange: Exchange): void {
  const holding = holdings.get(exchange.leaseId);
  if (!holding || exchange.sentAtMs < holding.fromMs) return;
  holding.untilMs = Math.min(holding.untilMs, exchange.sentAtMs);
  holding.ended = 'release-sent';
}

export interface Owed {
  /** Their time is not over. */
  readonly running: readonly Holding[];
  /** Their time ran out while their holders asked in vain, and nobody has told them since that they are gone. */
  readonly unheard: readonly Holding[];
}

/** The leases that have to be honoured at a moment, the one that ends first in front. */
export function owedAt(nowMs: number, exchanges: readonly Exchange[]): Owed {
  const inVain = renewalsInVain(exchanges);
  const holders = new Map(exchanges.map((exchange) => [exchange.leaseId, askerOf(exchange)]));
  const open = [...holdingsOf(exchanges).values()]
    .filter(({ ended }) => ended === undefined)
    .sort((left, right) => left.untilMs - right.untilMs);
  return {
    running: open.filter(({ untilMs }) => untilMs > nowMs),
    unheard: open.filter(
      (holding) =>
        holding.untilMs <= nowMs && askedInTime(holding, inVain.get(holders.get(holding.leaseId) ?? '') ?? []),
    ),
  };
}

export interface Oversold {
  readonly pool: string;
  readonly atMs: number;
  readonly held: number;
  readonly seats: number;
}

/** Every pool's worst moment above its seats; empty when nothing was sold twice. */
export function oversoldPools(holdings: Iterable<Holding>, seatsOf: ReadonlyMap<string, number>): Oversold[] {
  const worst = new Map<string, Oversold>();
  for (const [pool, peak] of peaks(holdings)) {
    const seats = seatsOf.get(pool) ?? 0;
    if (peak.held > seats) worst.set(pool, { pool, seats, ...peak });
  }
  return [...worst.values()];
}

/** The most seats of each pool that clients certainly held at one moment. */
export function peaks(holdings: Iterable<Holding>): Map<string, { held: number; atMs: number }> {
  const changes = new Map<string, { atMs: number; delta: number }[]>();
  for (const { pool, seats, fromMs, untilMs } of holdings) {
    if (untilMs <= fromMs) continue;
    const list = changes.get(pool) ?? [];
    list.push({ atMs: fromMs, delta: seats }, { atMs: untilMs, delta: -seats });
    changes.set(pool, list);
  }
  const result = new Map<string, { held: number; atMs: number }>();
  for (const [pool, list] of changes) {
    // At one instant ends come before beginnings: intervals are half open.
    list.sort((left, right) => left.atMs - right.atMs || left.delta - right.delta);
    let held = 0;
    let peak = { held: 0, atMs: 0 };
    for (const { atMs, delta } of list) {
      held += delta;
      if (held > peak.held) peak = { held, atMs };
    }
    result.set(pool, peak);
  }
  return result;
}

/** ReplicationTracker of an older epoch whose request was sent after a newer epoch had already been acknowledged. */
export function staleAcknowledgements(exchanges: readonly Exchange[]): Exchange[] {
  const acknowledged = exchanges.filter(
    ({ status, epoch }) => (status === 201 || status === 200) && epoch !== undefined,
  );
  const firstSeen = new Map<number, number>();
  for (const { epoch, receivedAtMs } of acknowledged) {
    if (epoch === undefined) continue;
    firstSeen.set(epoch, Math.min(firstSeen.get(epoch) ?? Number.POSITIVE_INFINITY, receivedAtMs));
  }
  return acknowledged.filter(({ epoch, sentAtMs }) =>
    [...firstSeen].some(([newer, seenAtMs]) => epoch !== undefined && newer > epoch && sentAtMs > seenAtMs),
  );
}

/** The regions that acknowledged something in each epoch; more than one in an epoch is a split authority. */
export function regionsByEpoch(exchanges: readonly Exchange[]): Map<number, Set<string>> {
  const result = new Map<number, Set<string>>();
  for (const { status, epoch, servedBy } of exchanges) {
    if ((status !== 200 && status !== 201) || epoch === undefined || !servedBy) continue;
    const regions = result.get(epoch) ?? new Set<string>();
    regions.add(servedBy.split('/')[0] ?? servedBy);
    result.set(epoch, regions);
  }
  return result;
}

export interface Overtaking {
  readonly pool: string;
  /** Stood in line before the other one first asked, and was still waiting when that one had its seat. */
  readonly waiting: string;
  readonly servedFirst: string;
}

/**
 * Whoever was served before somebody who had been in line longer, for certain: its place was *received* before the other's
 * first request was *sent*, and a request that it sent after the other's grant was answered with a place once more.
 */
export function overtakings(exchanges: readonly Exchange[]): Overtaking[] {
  const asks = exchanges.filter(({ method }) => method === 'PUT');
  const found: Overtaking[] = [];
  const grants = asks.filter(({ status }) => status === 201);
  for (const place of firstPlaces(asks)) {
    const stillWaiting = asks.filter(({ leaseId, status }) => leaseId === place.leaseId && status === 202);
    for (const grant of grants) {
      if (poolOf(grant) !== poolOf(place) || grant.leaseId === place.leaseId) continue;
      if (firstAsked(asks, grant.leaseId) < place.receivedAtMs) continue;
      if (!stillWaiting.some(({ sentAtMs }) => sentAtMs > grant.receivedAtMs)) continue;
      found.push({ pool: poolOf(place), waiting: place.leaseId, servedFirst: grant.leaseId });
    }
  }
  return found;
}

const poolOf = ({ product, feature }: Exchange): string => poolName(product, feature);

function firstPlaces(asks: readonly Exchange[]): Exchange[] {
  const first = new Map<string, Exchange>();
  for (const ask of asks) {
    const known = first.get(ask.leaseId);
    if (ask.status === 202 && (!known || ask.receivedAtMs < known.receivedAtMs)) first.set(ask.leaseId, ask);
  }
  return [...first.values()];
}

function firstAsked(asks: readonly Exchange[], of: string): number {
  return Math.min(...asks.filter(({ leaseId }) => leaseId === of).map(({ sentAtMs }) => sentAtMs));
}

/** Grants beyond the seats that were sold, for certain, which did not say so: the others were held all the while. */
export function untoldOverdrafts(holdings: Iterable<Holding>, sold: ReadonlyMap<string, number>): Holding[] {
  const all = [...holdings];
  return all.filter((holding) => {
    if (holding.overdraft) return false;
    const others = all.filter(
      ({ pool, fromMs, untilMs }) => pool === holding.pool && fromMs < holding.askedAtMs && untilMs > holding.fromMs,
    );
    const held = others.reduce((sum, { seats }) => sum + seats, holding.seats);
    return held > (sold.get(holding.pool) ?? 0);
  });
}
