import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { ExampleControlRoom } from '@evergrant/client/example/control-room';
import type { ResponseRecord } from '@evergrant/client/license-client';
import type { Region } from '@evergrant/core/regions';
import type { RoomToRegister } from './control-rooms';
import type { Exchange } from './history';
import type { DrillLicense } from './license';

export interface TrafficOptions {
  readonly license: DrillLicense;
  /** Address lists, assigned to the Control Rooms in turn. The drill's own calls use the first list. */
  readonly addresses: readonly (readonly string[])[];
  /** Control Rooms that register, each with its own token. Without any, all use `token`. */
  readonly registered: readonly RoomToRegister[];
  readonly serverUrls: Readonly<Record<Region, readonly string[]>>;
  readonly token: string;
  /** `busyRooms` check out and release often; `steadyRooms` hold their seats. */
  readonly busyRooms: number;
  readonly steadyRooms: number;
  readonly seed: number;
}

interface LeaseBody {
  readonly token?: string;
  readonly expiresAt?: string;
  readonly epoch?: number;
  readonly servedBy?: string;
  readonly code?: string;
  readonly overdraft?: boolean;
  readonly position?: number;
}

const PRESENT_TRIES = 20;
const REQUEST_TIME_OUT_MS = 5_000;
const DIRECT_TIME_OUT_MS = 1_500;
const AFTER_A_REFUSAL_MS = 50;
/** Offset from the monotonic clock to milliseconds since 1970. */
const wallOffsetMs = (): number => Date.now() - performance.now();

function toExchange(record: ResponseRecord, client?: string, controlRoom?: string): Exchange | undefined {
  if (record.method === 'GET' || !record.leaseId) return undefined;
  const body = (record.body ?? {}) as LeaseBody;
  const expiresAtMs = body.expiresAt ? Date.parse(body.expiresAt) - wallOffsetMs() : undefined;
  return {
    sentAtMs: record.sentAtMs,
    receivedAtMs: record.receivedAtMs,
    method: record.method,
    leaseId: record.leaseId,
    status: record.status,
    code: body.code,
    product: record.product ?? '',
    feature: record.feature ?? '',
    seats: record.seats ?? 0,
    epoch: body.epoch,
    servedBy: body.servedBy,
    token: body.token,
    expiresAtMs,
    overdraft: body.overdraft,
    position: body.position,
    controlRoom,
    client,
  };
}

export interface CheckoutBurst {
  /** Number of grants so far. */
  granted(): number;
  stop(): void;
}

/** Control Rooms that check out and release through the edge, and every response that they received. */
export class Traffic {
  readonly exchanges: Exchange[] = [];
  readonly #options: TrafficOptions;
  readonly #rooms: ExampleControlRoom[];

  constructor(options: TrafficOptions) {
    this.#options = options;
    const { registered, license, addresses } = options;
    const room = (name: string, number: number, pace: { workMs: number; pauseMs: number }, usersMax: number) => {
      const identity = registered[number % Math.max(1, registered.length)];
      return new ExampleControlRoom({
        name,
        ...(identity ? { guid: identity.guid } : {}),
        seed: options.seed + number,
        product: license.product,
        logins: [
          { feature: 'contended', seats: 1 },
          { feature: 'contended', seats: 2 },
          { feature: 'roomy', seats: 1 },
          { feature: 'roomy', seats: 3 },
        ],
        usersMax,
        ...pace,
        client: {
          addresses: addresses[number % addresses.length] ?? [],
          ...(identity ? { controlRoom: identity } : { token: options.token }),
          requestTimeoutMs: REQUEST_TIME_OUT_MS,
          backoffCapMs: 1_000,
          onResponse: (record) => this.#record(record, name, identity?.guid),
        },
      });
    };
    const busy = Array.from({ length: options.busyRooms }, (_, index) =>
      room(`busy ${index}`, index, { workMs: 400, pauseMs: 200 }, 3),
    );
    const steady = Array.from({ length: options.steadyRooms }, (_, index) =>
      room(`steady ${index}`, 1_000 + index, { workMs: 600_000, pauseMs: 300 }, 2),
    );
    this.#rooms = [...busy, ...steady];
  }

  start(): void {
    for (const room of this.#rooms) room.start();
  }

  /** Stops all Control Rooms without releasing, like a power failure, so that acknowledged leases can be checked. */
  async abandon(): Promise<void> {
    await Promise.all(this.#rooms.map((room) => room.stop({ release: false })));
  }

  acknowledgedGrants(): number {
    return this.exchanges.filter(({ method, status }) => method === 'PUT' && status === 201).length;
  }

  /** Number of leases that Control Rooms hold now. */
  leasesHeld(): number {
    return this.#rooms.reduce((sum, room) => sum + room.snapshot().holding.length, 0);
  }

  /** When the first grant of this region in this epoch was received, in milliseconds since 1970. */
  firstGrant(region: Region, epoch: number): number | undefined {
    const first = this.exchanges.find(
      (exchange) => exchange.status === 201 && exchange.epoch === epoch && exchange.servedBy?.startsWith(`${region}/`),
    );
    return first && first.receivedAtMs + wallOffsetMs();
  }

  /** Number of checkouts and heartbeats sent since then that succeeded. */
  grantsSince(sinceMs: number): number {
    return this.exchanges.filter(
      ({ method, sentAtMs, status }) => method !== 'DELETE' && sentAtMs > sinceMs && (status === 200 || status === 201),
    ).length;
  }

  /** Checkouts and heartbeats sent since then that a region acknowledged. */
  acknowledgedBy(region: Region, sinceMs: number): Exchange[] {
    return this.exchanges.filter(
      ({ method, sentAtMs, status, servedBy }) =>
        method !== 'DELETE' &&
        sentAtMs > sinceMs &&
        (status === 200 || status === 201) &&
        servedBy?.startsWith(`${region}/`),
    );
  }

  /** Number of calls that succeeded in the last `withinMs`. */
  recentSuccesses(withinMs: number): number {
    const since = performance.now() - withinMs;
    return this.exchanges.filter(
      ({ receivedAtMs, status }) => receivedAtMs >= since && status !== undefined && status < 300,
    ).length;
  }

  /** When the first successful call sent after `sinceMs + graceMs` was answered, on the monotonic clock. */
  firstSuccessAfter(sinceMs: number, graceMs: number): number | undefined {
    return this.exchanges.find(
      ({ sentAtMs, status }) => sentAtMs > sinceMs + graceMs && status !== undefined && status < 300,
    )?.receivedAtMs;
  }

  /** When the first successful checkout or heartbeat sent after `sinceMs` was answered, on the monotonic clock. */
  firstGrantAfter(sinceMs: number): number | undefined {
    return this.exchanges.find(
      ({ method, sentAtMs, status }) => method !== 'DELETE' && sentAtMs > sinceMs && (status === 200 || status === 201),
    )?.receivedAtMs;
  }

  /** The longest time between two successful answers in a period. */
  longestSilenceMs(fromMs: number, toMs: number): number {
    const times = this.exchanges
      .filter(
        ({ status, receivedAtMs }) =>
          status !== undefined && status < 300 && receivedAtMs >= fromMs && receivedAtMs <= toMs,
      )
      .map(({ receivedAtMs }) => receivedAtMs)
      .sort((left, right) => left - right);
    const edges = [fromMs, ...times, toMs];
    return edges.slice(1).reduce((longest, time, index) => Math.max(longest, time - (edges[index] ?? time)), 0);
  }

  /** Requests a seat from each server of a region, bypassing router and edge. Resolves to a description of a grant, if any. */
  async tryToCheckOutDirectly(region: Region): Promise<string | undefined> {
    const granted = await Promise.all(
      this.#options.serverUrls[region].map((url) => this.#checkOutAt(url, DIRECT_TIME_OUT_MS)),
    );
    return granted.find((answer) => answer !== undefined);
  }

  /** Checks out continuously on several connections without releasing, until it is stopped. */
  startBurst(atOnce: number): CheckoutBurst {
    let [granted, stopped] = [0, false];
    const lane = async (): Promise<void> => {
      while (!stopped) {
        const answer = await this.#checkOutAt(this.#addressAt(0), REQUEST_TIME_OUT_MS);
        if (answer === undefined) await delay(AFTER_A_REFUSAL_MS);
        else granted += 1;
      }
    };
    for (let index = 0; index < atOnce; index += 1) void lane();
    return {
      granted: () => granted,
      stop: () => {
        stopped = true;
      },
    };
  }

  /** Renews a lease with its token at the public address. Resolves to `honoured`, or to the reason of the refusal. */
  async present(leaseId: string, token: string | undefined): Promise<string> {
    for (let attempt = 0; ; attempt += 1) {
      const answer = await this.#presentOnce(this.#addressAt(attempt), leaseId, token);
      if (answer.final || attempt === PRESENT_TRIES) return answer.said;
      await delay(200);
    }
  }

  /** The addresses in turn: in a triad only one server is in control. */
  #addressAt(attempt: number): string {
    const [addresses = []] = this.#options.addresses;
    return addresses[attempt % addresses.length] ?? '';
  }

  async #presentOnce(
    address: string,
    leaseId: string,
    token: string | undefined,
  ): Promise<{ final: boolean; said: string }> {
    try {
      const response = await fetch(`${address}/v1/leases/${leaseId}/heartbeat`, {
        method: 'POST',
        headers: { authorization: `Bearer ${this.#options.token}`, 'content-type': 'application/json' },
        body: JSON.stringify(token === undefined ? {} : { token }),
        signal: AbortSignal.timeout(REQUEST_TIME_OUT_MS),
      });
      const { code } = (await response.json()) as LeaseBody;
      if (response.status === 200) return { final: true, said: 'honoured' };
      return { final: response.status === 404 || response.status === 410, said: `${response.status} ${code ?? ''}` };
    } catch (error) {
      return { final: false, said: (error as Error).message };
    }
  }

  /** One checkout without a release. Resolves to a description of the grant, if any. */
  async #checkOutAt(url: string, timeOutMs: number): Promise<string | undefined> {
    const leaseId = randomUUID();
    const sentAtMs = performance.now();
    const body = { product: this.#options.license.product, feature: 'roomy', seats: 1, holder: 'drill-direct' };
    try {
      const response = await fetch(`${url}/v1/leases/${leaseId}`, {
        method: 'PUT',
        headers: { authorization: `Bearer ${this.#options.token}`, 'content-type': 'application/json' },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(timeOutMs),
      });
      const answer = (await response.json()) as LeaseBody;
      this.#record({
        kind: 'checkout',
        method: 'PUT',
        url,
        leaseId,
        ...body,
        at: Date.now(),
        sentAtMs,
        receivedAtMs: performance.now(),
        durationMs: performance.now() - sentAtMs,
        status: response.status,
        body: answer,
      });
      return response.status === 201 ? `${answer.servedBy} granted in epoch ${answer.epoch}` : undefined;
    } catch {
      return undefined;
    }
  }

  #record(record: ResponseRecord, client?: string, controlRoom?: string): void {
    const exchange = toExchange(record, client, controlRoom);
    if (exchange) this.exchanges.push(exchange);
  }
}
