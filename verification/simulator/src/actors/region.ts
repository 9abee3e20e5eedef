import type { Region } from '@evergrant/core/regions';
import { otherRegion } from '@evergrant/core/regions';
import type { DatabaseServer } from '../database/database-server';
import type { Random } from '../time/random';
import type { Host } from '../topology/host';
import type { Network } from '../topology/network';
import { type HttpAnswer, type HttpCall, REGION_ADDRESSES } from './http';
import type { SimulatedLicenseServer } from './license-server';

export type AclState =
  | { readonly kind: 'serve' }
  | { readonly kind: 'fence'; readonly activeRegion: Region | undefined };

const SERVER_TIMEOUT_MS = 6_000;
const TRIES_MAX = 3;

const problem = (status: number, code: string, more: object = {}): HttpAnswer => ({ status, body: { code, ...more } });

/** One region: its servers behind a router with a fence, and its database at one endpoint. */
export class SimulatedRegion {
  readonly region: Region;
  readonly router: Host;
  readonly servers: SimulatedLicenseServer[] = [];
  acl: AclState;
  database: DatabaseServer | undefined;
  /** A second follower or another walsender streams from the region's database. It is never promoted. */
  hasForeignWalsender = false;
  /** State by the database service. */
  service: 'running' | 'archived' | 'building' | 'following';
  readonly #network: Network;
  readonly #random: Random;

  constructor(options: { region: Region; router: Host; network: Network; random: Random; active: boolean }) {
    this.region = options.region;
    this.router = options.router;
    this.#network = options.network;
    this.#random = options.random;
    this.acl = options.active ? { kind: 'serve' } : { kind: 'fence', activeRegion: otherRegion(options.region) };
    this.service = options.active ? 'running' : 'following';
  }

  /** Routes a call. Calls are idempotent, so the router tries the next server when one refuses. */
  async route(call: HttpCall): Promise<HttpAnswer> {
    // Probes and status pass the fence.
    const passesFence = call.kind === 'livez' || call.kind === 'status';
    if (this.acl.kind === 'fence' && !passesFence) {
      const { activeRegion } = this.acl;
      const address = activeRegion && REGION_ADDRESSES[activeRegion];
      return {
        ...problem(503, 'not_granting', { activeRegion: activeRegion ?? null, address: address ?? null }),
        retryAfterMs: 1_000,
      };
    }
    const servers = [...this.servers].sort(() => this.#random.next() - 0.5).slice(0, TRIES_MAX);
    for (const server of servers) {
      const answer = await this.#network.askHost<HttpAnswer | 'late' | 'refused'>(this.router, server.host, {
        timeoutMs: SERVER_TIMEOUT_MS,
        late: 'late',
        refused: 'refused',
        serve: (reply) => void server.handle(call).then(reply),
      });
      if (answer === 'late') return problem(504, 'server_late');
      if (answer !== 'refused') return answer;
    }
    return problem(502, 'no_server');
  }
}

/** The public address. */
export class Edge {
  readonly host: Host;
  target: Region = 'oregon';
  readonly #network: Network;
  readonly #regions: Readonly<Record<Region, SimulatedRegion>>;

  constructor(options: { host: Host; network: Network; regions: Readonly<Record<Region, SimulatedRegion>> }) {
    this.host = options.host;
    this.#network = options.network;
    this.#regions = options.regions;
  }

  async forward(call: HttpCall): Promise<HttpAnswer> {
    const simulatedRegion = this.#regions[this.target];
    return this.#network.askHost<HttpAnswer>(this.host, simulatedRegion.router, {
      timeoutMs: 8_000,
      late: problem(504, 'region_unreachable'),
      refused: problem(502, 'region_unreachable'),
      serve: (reply) => void simulatedRegion.route(call).then(reply),
    });
  }
}
