import type { Region } from '@evergrant/core/regions';
import type { Layout } from '../layout';
import { PROCESSES, REGIONS } from '../layout';

/** The status that a license server reports, or the reason why it does not answer. */
export interface ServerView {
  readonly name: string;
  readonly answering: boolean;
  readonly granting: boolean;
  readonly epoch: number | undefined;
  readonly reason: string | undefined;
  /** The three servers of each redundant license, as this server sees them. */
  readonly triads: readonly TriadStatus[];
}

export interface TriadStatus {
  readonly servers: readonly { readonly server: string; readonly view: string }[];
  readonly quorum: string;
  readonly inControl: string | null;
  readonly term: number;
}

export interface PoolStatus {
  readonly product: string;
  readonly feature: string;
  readonly seats: number;
  readonly seatsTaken: number;
  readonly seatsHeldBack: number;
  readonly leases: number;
}

/** The status of the world as seen from outside its processes, refreshed about once a second. */
export interface StatusSnapshot {
  readonly servers: readonly ServerView[];
  readonly acl: Readonly<Record<Region, string | undefined>>;
  readonly edgeTarget: string | undefined;
  /** Whether the server behind the public address grants. */
  readonly edgeGrants: boolean;
  readonly pools: readonly PoolStatus[];
  /** Time of the last read of the pools. While the world is unreachable the last values remain, with their age. */
  readonly poolsAtMs: number | undefined;
}

const TIME_OUT_MS = 900;

interface Options {
  readonly layout: Layout;
  readonly adminToken: string;
  readonly intervalMs?: number;
}

const EMPTY_SNAPSHOT: StatusSnapshot = {
  servers: [],
  acl: { oregon: undefined, virginia: undefined },
  edgeTarget: undefined,
  edgeGrants: false,
  pools: [],
  poolsAtMs: undefined,
};

/** Polls every server, every router and the edge. Short timeouts bound the wait for a suspended process. */
export class StatusPoller {
  readonly #options: Options;
  #last: StatusSnapshot = EMPTY_SNAPSHOT;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(options: Options) {
    this.#options = options;
  }

  get snapshot(): StatusSnapshot {
    return this.#last;
  }

  start(): void {
    const round = async (): Promise<void> => {
      this.#last = await this.poll();
      if (!this.#stopped) this.#timer = setTimeout(() => void round(), this.#options.intervalMs ?? 1_000);
    };
    void round();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  /** Polls everything once, in parallel. It takes at most one timeout. */
  async poll(): Promise<StatusSnapshot> {
    const apps = PROCESSES.filter(({ kind }) => kind === 'app');
    const [servers, acls, target, outside, pools] = await Promise.all([
      Promise.all(apps.map(({ name }) => this.#server(name))),
      Promise.all(REGIONS.map((region) => this.#get(`${this.#options.layout.url(`${region}/router`)}/_router/acl`))),
      this.#get(`${this.#options.layout.url('edge')}/_edge/target`),
      this.#get(`${this.#options.layout.url('edge')}/v1/status`),
      this.#get(`${this.#options.layout.url('edge')}/v1/pools`),
    ]);
    const poolList = pools?.pools as PoolStatus[] | undefined;
    return {
      servers,
      acl: { oregon: text(acls[0]?.acl), virginia: text(acls[1]?.acl) },
      edgeTarget: text(target?.region),
      edgeGrants: outside?.granting === true,
      pools: poolList ?? this.#last.pools,
      poolsAtMs: poolList ? performance.now() : this.#last.poolsAtMs,
    };
  }

  async #server(name: string): Promise<ServerView> {
    const status = await this.#get(`${this.#options.layout.url(name)}/v1/status`);
    return {
      name,
      answering: status !== undefined,
      granting: status?.granting === true,
      epoch: typeof status?.epoch === 'number' ? status.epoch : undefined,
      reason: text(status?.reason),
      triads: (status?.triads ?? []) as TriadStatus[],
    };
  }

  async #get(url: string): Promise<Record<string, unknown> | undefined> {
    try {
      const response = await fetch(url, {
        headers: { authorization: `Bearer ${this.#options.adminToken}` },
        signal: AbortSignal.timeout(TIME_OUT_MS),
      });
      const body = (await response.json()) as Record<string, unknown>;
      return response.ok ? body : undefined;
    } catch {
      return undefined;
    }
  }
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
