import type { Region } from '@evergrant/core/regions';
import { otherRegion } from '@evergrant/core/regions';
import type { DatabaseServer } from '../database/database-server';
import type { Random } from '../time/random';
import type { Host } from '../topology/host';
import type { Network } from '../topology/network';
import type { HttpAnswer, HttpCall, LicenseServer } from './license-server';
import { REGION_ADDRESSES } from './license-server';

export type Acl = { readonly kind: 'serve' } | { readonly kind: 'fence'; readonly activeRegion: Region | null };

const SERVER_TIMEOUT_MS = 6_000;
const TRIES_MAX = 3;

const problem = (status: number, code: string, more: object = {}): HttpAnswer => ({ status, body: { code, ...more } });

/** One region: its servers behind its router, with the router's fence, and its database at one endpoint. */
export class Site {
  readonly region: Region;
  readonly router: Host;
  readonly servers: LicenseServer[] = [];
  acl: Acl;
  database: DatabaseServer | undefined;
  /** What the database service says of it. */
  service: 'running' | 'kept' | 'building' | 'following';
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

  /** At the router. Calls are idempotent, so that the next server may be tried when one refuses. */
  async route(call: HttpCall): Promise<HttpAnswer> {
    // Probes and people may look through the fence, and find whoever is alive.
    const looks = call.kind === 'livez' || call.kind === 'status';
    if (this.acl.kind === 'fence' && !looks) {
      const { activeRegion } = this.acl;
      const address = activeRegion === null ? null : REGION_ADDRESSES[activeRegion];
      return { ...problem(503, 'not_granting', { activeRegion, address }), retryAfterMs: 1_000 };
    }
    const order = [...this.servers].sort(() => this.#random.next() - 0.5).slice(0, TRIES_MAX);
    for (const server of order) {
      const answer = await this.#network.askHost<HttpAnswer | 'late' | 'refused'>(this.router, server.host, {
        ...{ timeoutMs: SERVER_TIMEOUT_MS, late: 'late', refused: 'refused' },
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
  readonly #sites: Readonly<Record<Region, Site>>;

  constructor(options: { host: Host; network: Network; sites: Readonly<Record<Region, Site>> }) {
    this.host = options.host;
    this.#network = options.network;
    this.#sites = options.sites;
  }

  async forward(call: HttpCall): Promise<HttpAnswer> {
    const site = this.#sites[this.target];
    return this.#network.askHost<HttpAnswer>(this.host, site.router, {
      ...{ timeoutMs: 8_000, late: problem(504, 'region_unreachable'), refused: problem(502, 'region_unreachable') },
      serve: (reply) => void site.route(call).then(reply),
    });
  }
}
