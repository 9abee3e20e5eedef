/**
 * The checker's own account of who held what, kept from the clients' side alone: it reads every response the Control
 * Rooms got and believes no server. Pure.
 *
 * A lease counts as held from the moment its 201 was *received* until the moment its release was *sent*, its end was
 * told, or its last known expiry passed. The server's own interval contains this one, so two seats that overlap here
 * were certainly sold twice.
 */

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
}

export interface Holding {
  readonly leaseId: string;
  readonly pool: string;
  readonly seats: number;
  readonly epoch: number;
  readonly servedBy: string;
  readonly fromMs: number;
  /** Exclusive end of what the client certainly held; Infinity never: an expiry bounds every lease. */
  untilMs: number;
  /** Why it ended, or undefined while the client still holds it. */
  ended?: 'release-sent' | 'told-ended' | undefined;
  token: string | undefined;
}

const poolName = (product: string, feature: string): string => `${product}/${feature}`;

/** Builds the holdings out of all exchanges. Order of input does not matter. */
export function holdingsOf(exchanges: readonly Exchange[]): Map<string, Holding> {
  const holdings = new Map<string, Holding>();
  const inOrder = [...exchanges].sort((left, right) => left.receivedAtMs - right.receivedAtMs);
  for (const exchange of inOrder) {
    if (exchange.method === 'PUT' && exchange.status === 201) open(holdings, exchange);
    else if (exchange.method === 'POST') renewOrEnd(holdings, exchange);
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
    known.token = exchange.token ?? known.token;
    return;
  }
  holdings.set(exchange.leaseId, {
    leaseId: exchange.leaseId,
    pool: poolName(exchange.product, exchange.feature),
    seats: exchange.seats,
    epoch: exchange.epoch ?? -1,
    servedBy: exchange.servedBy ?? '?',
    fromMs: exchange.receivedAtMs,
    untilMs,
    token: exchange.token,
  });
}

function renewOrEnd(holdings: Map<string, Holding>, exchange: Exchange): void {
  const holding = holdings.get(exchange.leaseId);
  if (!holding) return;
  if (exchange.status === 200 && exchange.expiresAtMs !== undefined) {
    holding.untilMs = Math.max(holding.untilMs, exchange.expiresAtMs);
    holding.token = exchange.token ?? holding.token;
  } else if (exchange.status === 404 || exchange.status === 410) {
    holding.untilMs = Math.min(holding.untilMs, exchange.receivedAtMs);
    holding.ended = 'told-ended';
  }
}

function endAtSending(holdings: Map<string, Holding>, exchange: Exchange): void {
  const holding = holdings.get(exchange.leaseId);
  if (!holding || exchange.sentAtMs < holding.fromMs) return;
  holding.untilMs = Math.min(holding.untilMs, exchange.sentAtMs);
  holding.ended = 'release-sent';
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

/** Acknowledgements of an older epoch whose request was sent after a newer epoch had already been acknowledged. */
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
