/**
 * The history of leases from the clients' side: derived from every response that the Control Rooms received. Pure.
 *
 * A lease counts as held from the *receipt* of its 201 until its release was *sent*, a server reported its end, or its last
 * known expiry passed. The server's own interval contains this one, so two overlapping seats were certainly oversold.
 */

import { poolName } from './license';

export interface Exchange {
  /** Send time of the request and arrival of its response, in milliseconds on one monotonic clock. */
  readonly sentAtMs: number;
  readonly receivedAtMs: number;
  readonly method: 'PUT' | 'POST' | 'DELETE';
  readonly leaseId: string;
  /** HTTP status; undefined without a response (time-out, refused, reset). */
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
  /** The grant was marked as overdraft. */
  readonly overdraft?: boolean | undefined;
  /** Position in the queue (202). */
  readonly position?: number | undefined;
  /** GUID of the registered Control Room. */
  readonly controlRoom?: string | undefined;
  /** Name of the client. While no server answers, it sends one heartbeat for all its leases. */
  readonly client?: string | undefined;
}

export interface RecordedHolding {
  readonly leaseId: string;
  readonly pool: string;
  readonly seats: number;
  readonly epoch: number;
  readonly servedBy: string;
  /** Send time of the request of the first 201. */
  readonly askedAtMs: number;
  readonly fromMs: number;
  /** Exclusive end of the time that the client certainly held it. Always finite. */
  untilMs: number;
  /** Time of the last grant or renewal. */
  heardAtMs: number;
  /**
   * Why it ended; undefined while the client holds it. `reported-ended` is a loss: a server reported the end before the
   * expiry, or after it although the holder had requested a renewal in time. `lapsed`: the holder had not.
   */
  ended?: 'release-sent' | 'reported-ended' | 'lapsed' | undefined;
  token: string | undefined;
  readonly overdraft: boolean;
  readonly controlRoom: string | undefined;
}

/** Derives the holdings from all exchanges, in any order. */
export function holdingsOf(exchanges: readonly Exchange[]): Map<string, RecordedHolding> {
  const holdings = new Map<string, RecordedHolding>();
  const inOrder = [...exchanges].sort((left, right) => left.receivedAtMs - right.receivedAtMs);
  const unanswered = unansweredRenewals(exchanges);
  for (const exchange of inOrder) {
    if (exchange.method === 'PUT' && exchange.status === 201) open(holdings, exchange);
    else if (exchange.method === 'POST') renewOrEnd(holdings, exchange, unanswered);
  }
  // A release ends the holding when it is *sent*, with or without a response, so it is applied after all renewals.
  for (const exchange of inOrder) if (exchange.method === 'DELETE') endAtSending(holdings, exchange);
  return holdings;
}

function open(holdings: Map<string, RecordedHolding>, exchange: Exchange): void {
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

/** Leases of one client share their renewal requests. */
const clientOf = ({ client, leaseId }: Exchange): string => client ?? leaseId;

/** Send times of each client's renewals that were neither granted nor answered with the lease's end. */
function unansweredRenewals(exchanges: readonly Exchange[]): ReadonlyMap<string, readonly number[]> {
  const unanswered = new Map<string, number[]>();
  for (const exchange of exchanges) {
    if (exchange.method !== 'POST' || exchange.status === 200 || isEnd(exchange)) continue;
    const asker = clientOf(exchange);
    const times = unanswered.get(asker) ?? [];
    times.push(exchange.sentAtMs);
    unanswered.set(asker, times);
  }
  return unanswered;
}

const isEnd = ({ status }: Exchange): boolean => status === 404 || status === 410;

function renewOrEnd(
  holdings: Map<string, RecordedHolding>,
  exchange: Exchange,
  unanswered: ReadonlyMap<string, readonly number[]>,
): void {
  const holding = holdings.get(exchange.leaseId);
  if (!holding) return;
  if (exchange.status === 200 && exchange.expiresAtMs !== undefined) {
    holding.untilMs = Math.max(holding.untilMs, exchange.expiresAtMs);
    holding.heardAtMs = exchange.receivedAtMs;
    holding.token = exchange.token ?? holding.token;
  } else if (isEnd(exchange) && holding.ended === undefined) {
    const { untilMs } = holding;
    const inTime = requestedInTime(holding, [exchange.sentAtMs, ...(unanswered.get(clientOf(exchange)) ?? [])]);
    holding.ended = inTime || exchange.receivedAtMs < untilMs ? 'reported-ended' : 'lapsed';
    holding.untilMs = Math.min(untilMs, exchange.receivedAtMs);
  }
}

/**
 * A holder that sent no renewal before the expiry has lost nothing. For a holder that sent one without an answer, the new
 * region must have kept the lease (S4).
 */
function requestedInTime({ heardAtMs, untilMs }: RecordedHolding, sentAtMs: readonly number[]): boolean {
  return sentAtMs.some((askedAtMs) => askedAtMs >= heardAtMs && askedAtMs < untilMs);
}

function endAtSending(holdings: Map<string, RecordedHolding>, exchange: Exchange): void {
  const holding = holdings.get(exchange.leaseId);
  if (!holding || exchange.sentAtMs < holding.fromMs) return;
  holding.untilMs = Math.min(holding.untilMs, exchange.sentAtMs);
  holding.ended = 'release-sent';
}

export interface ExpectedLeases {
  /** Leases that have not expired. */
  readonly running: readonly RecordedHolding[];
  /** Leases that expired after an unanswered renewal, and whose end no server has reported. */
  readonly unreachable: readonly RecordedHolding[];
}

/** The leases that must be honoured at a moment, ordered by expiry. */
export function expectedLeases(nowMs: number, exchanges: readonly Exchange[]): ExpectedLeases {
  const unanswered = unansweredRenewals(exchanges);
  const holders = new Map(exchanges.map((exchange) => [exchange.leaseId, clientOf(exchange)]));
  const open = [...holdingsOf(exchanges).values()]
    .filter(({ ended }) => ended === undefined)
    .sort((left, right) => left.untilMs - right.untilMs);
  return {
    running: open.filter(({ untilMs }) => untilMs > nowMs),
    unreachable: open.filter(
      (holding) =>
        holding.untilMs <= nowMs && requestedInTime(holding, unanswered.get(holders.get(holding.leaseId) ?? '') ?? []),
    ),
  };
}

export interface Oversold {
  readonly pool: string;
  readonly atMs: number;
  readonly held: number;
  readonly seats: number;
}

/** The highest excess of each oversold pool. */
export function oversoldPools(holdings: Iterable<RecordedHolding>, seatsOf: ReadonlyMap<string, number>): Oversold[] {
  const worst = new Map<string, Oversold>();
  for (const [pool, peak] of peaks(holdings)) {
    const seats = seatsOf.get(pool) ?? 0;
    if (peak.held > seats) worst.set(pool, { pool, seats, ...peak });
  }
  return [...worst.values()];
}

/** The highest number of seats of each pool that clients certainly held at one moment. */
export function peaks(holdings: Iterable<RecordedHolding>): Map<string, { held: number; atMs: number }> {
  const changes = new Map<string, { atMs: number; delta: number }[]>();
  for (const { pool, seats, fromMs, untilMs } of holdings) {
    if (untilMs <= fromMs) continue;
    const list = changes.get(pool) ?? [];
    list.push({ atMs: fromMs, delta: seats }, { atMs: untilMs, delta: -seats });
    changes.set(pool, list);
  }
  const result = new Map<string, { held: number; atMs: number }>();
  for (const [pool, list] of changes) {
    // Intervals are half open: at one instant, ends come before starts.
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

/** Acknowledgements in an older epoch whose request was sent after the first acknowledgement of a newer epoch. */
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

/** The regions that acknowledged something in each epoch. */
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

export interface OvertakenPlace {
  readonly pool: string;
  /** Queued before the other's first request, and still queued after the other's grant. */
  readonly waiting: string;
  readonly servedFirst: string;
}

/**
 * Places that were certainly overtaken: the place was *received* before the other client's first request was *sent*, and a
 * request after the other's grant was still answered with a place.
 */
export function overtakenPlaces(exchanges: readonly Exchange[]): OvertakenPlace[] {
  const checkouts = exchanges.filter(({ method }) => method === 'PUT');
  const found: OvertakenPlace[] = [];
  const grants = checkouts.filter(({ status }) => status === 201);
  for (const place of firstPlaces(checkouts)) {
    const stillWaiting = checkouts.filter(({ leaseId, status }) => leaseId === place.leaseId && status === 202);
    for (const grant of grants) {
      if (poolOf(grant) !== poolOf(place) || grant.leaseId === place.leaseId) continue;
      if (firstSentAtMs(checkouts, grant.leaseId) < place.receivedAtMs) continue;
      if (!stillWaiting.some(({ sentAtMs }) => sentAtMs > grant.receivedAtMs)) continue;
      found.push({ pool: poolOf(place), waiting: place.leaseId, servedFirst: grant.leaseId });
    }
  }
  return found;
}

const poolOf = ({ product, feature }: Exchange): string => poolName(product, feature);

function firstPlaces(checkouts: readonly Exchange[]): Exchange[] {
  const first = new Map<string, Exchange>();
  for (const ask of checkouts) {
    const known = first.get(ask.leaseId);
    if (ask.status === 202 && (!known || ask.receivedAtMs < known.receivedAtMs)) first.set(ask.leaseId, ask);
  }
  return [...first.values()];
}

function firstSentAtMs(checkouts: readonly Exchange[], of: string): number {
  return Math.min(...checkouts.filter(({ leaseId }) => leaseId === of).map(({ sentAtMs }) => sentAtMs));
}

/** Grants that were certainly in overdraft and were not marked so. */
export function unflaggedOverdrafts(
  holdings: Iterable<RecordedHolding>,
  sold: ReadonlyMap<string, number>,
): RecordedHolding[] {
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
