import type { Region } from '@evergrant/core/regions';
import type { Logger } from 'pino';
import { REGIONS } from '../layout';
import { adminGuard, jsonBody } from './admin';
import { CONSOLE_PAGE } from './console-page';
import { activeRegionMembers, invalid, jsonReply, notFound, problem, proxyMethodNotAllowed } from './problems';
import { type Reply, type RequestContext, returnedHeaders, type UpgradeOutcome } from './request-context';
import { TargetFile } from './target-file';
import type { EdgeTimeouts } from './timeouts';
import { type OpenTunnel, openTunnel, Tunnels } from './tunnel';
import { type Attempt, Upstream } from './upstream';

export interface PublicEdgeOptions {
  /** The regions' public addresses. The edge forwards to them and names them in its answers. */
  readonly routers: Readonly<Record<Region, string>>;
  readonly targetFile: string;
  readonly adminToken: string;
  readonly timeouts: EdgeTimeouts;
  readonly logger: Logger;
}

const PROXY_NAME = 'edge';
const STATUS_TIMEOUT_MS = 1_000;
/** Consecutive requests without an answer before the edge logs that a region does not answer. */
const FAILURES_BEFORE_LOG = 3;

/**
 * The public address. It forwards every request to the router of the target region. The target is read for each request,
 * so a switch takes effect at once, also on open connections.
 *
 * The edge never fails over on its own: that would make it a second controller. While the target region does not answer,
 * it returns a problem document until the controller or an operator switches the target.
 */
export class PublicEdge {
  readonly #options: PublicEdgeOptions;
  readonly #upstreams: Readonly<Record<Region, Upstream>>;
  readonly #targetFile: TargetFile;
  readonly #checkAdmin: (request: RequestContext) => Reply | undefined;
  readonly #tunnels = new Tunnels<Region>();
  #target: Region;
  readonly #failures: Record<Region, number> = { oregon: 0, virginia: 0 };

  /** @throws when the target file exists and is not valid. */
  constructor(options: PublicEdgeOptions) {
    this.#options = options;
    const upstream = (region: Region): Upstream =>
      new Upstream({
        url: options.routers[region],
        proxyName: PROXY_NAME,
        connectTimeoutMs: options.timeouts.connectTimeoutMs,
      });
    this.#upstreams = { oregon: upstream('oregon'), virginia: upstream('virginia') };
    this.#targetFile = new TargetFile(options.targetFile);
    this.#checkAdmin = adminGuard(options.adminToken);
    this.#target = this.#targetFile.read();
  }

  get target(): Region {
    return this.#target;
  }

  async close(): Promise<void> {
    await Promise.all(REGIONS.map((region) => this.#upstreams[region].close()));
  }

  readonly respond = (request: RequestContext): Promise<Reply> | Reply => {
    const { path, method } = request;
    // Never forwarded: the administration of a router is not reachable from the public address.
    if (path.startsWith('/_')) return this.#administer(request);
    if (path === '/console' || path.startsWith('/console/')) {
      return method === 'GET' || method === 'HEAD' ? this.#console(request) : proxyMethodNotAllowed('GET');
    }
    return this.#forward(request);
  };

  /** Opens a WebSocket tunnel to the target region. It is cut when the target changes. */
  readonly upgrade = async (request: RequestContext): Promise<UpgradeOutcome> => {
    const { path } = request;
    if (path.startsWith('/_')) return { kind: 'refused', reply: notFound(path) };
    const { totalTimeoutMs: timeoutMs } = this.#options.timeouts;
    const { attempt, region } = await this.#tryTwice(timeoutMs, (region, leftMs) =>
      openTunnel(request, { url: this.#options.routers[region], proxyName: PROXY_NAME, timeoutMs: leftMs }),
    );
    if (attempt.kind !== 'open') return { kind: 'refused', reply: this.#replyOf(attempt, region) };
    this.#tunnels.add(region, attempt);
    // The target may have changed while the region accepted the upgrade.
    if (region !== this.#target) this.#tunnels.cut(region);
    return attempt;
  };

  #administer(request: RequestContext): Reply {
    const { path, method } = request;
    if (path !== '/_edge/target') return notFound(path);
    const refused = this.#checkAdmin(request);
    if (refused) return refused;
    if (method === 'GET') return jsonReply(200, { region: this.#target, sessions: this.#tunnels.count(this.#target) });
    return method === 'PUT' ? this.#setTarget(request) : proxyMethodNotAllowed('GET, PUT');
  }

  #setTarget(request: RequestContext): Reply {
    const requested = jsonBody(request)?.region;
    const region = REGIONS.find((candidate) => candidate === requested);
    if (!region) return invalid('region', `region must be ${REGIONS.join(' or ')}.`);
    const before = this.#target;
    this.#targetFile.write(region);
    this.#target = region;
    if (region !== before) {
      const sessions = this.#tunnels.cut(before);
      this.#options.logger.warn({ region, before, sessions, announce: `the public address now leads to ${region}` });
    }
    return jsonReply(200, { region });
  }

  async #forward(request: RequestContext): Promise<Reply> {
    const { totalTimeoutMs } = this.#options.timeouts;
    const { attempt, region } = await this.#tryTwice<never>(totalTimeoutMs, (to, leftMs) =>
      this.#upstreams[to].forward(request, leftMs),
    );
    return this.#replyOf(attempt, region);
  }

  #replyOf(attempt: Attempt, region: Region): Reply {
    if (attempt.kind !== 'answered') return this.#regionUnreachable(region, attempt);
    return { status: attempt.status, headers: returnedHeaders(attempt.headers, PROXY_NAME), body: attempt.body };
  }

  async #tryTwice<Success extends OpenTunnel>(
    totalTimeoutMs: number,
    send: (region: Region, timeoutMs: number) => Promise<Success | Attempt>,
  ): Promise<{ attempt: Success | Attempt; region: Region }> {
    const deadlineMs = performance.now() + totalTimeoutMs;
    let region = this.#target;
    let attempt = await this.#try(region, send(region, totalTimeoutMs));
    // One retry after a broken connection: a reused connection ends when the router restarts, and the target may have
    // changed. A request that timed out has no time left, so its client must send it again.
    const leftMs = deadlineMs - performance.now();
    if (leftMs > 0 && (attempt.kind === 'broken' || (attempt.kind === 'refused' && this.#target !== region))) {
      region = this.#target;
      attempt = await this.#try(region, send(region, leftMs));
    }
    return { attempt, region };
  }

  async #try<Outcome extends OpenTunnel | Attempt>(region: Region, sent: Promise<Outcome>): Promise<Outcome> {
    const outcome = await sent;
    this.#logReachability(region, outcome);
    return outcome;
  }

  #regionUnreachable(region: Region, { kind }: Attempt): Reply {
    return problem({
      status: kind === 'timed_out' ? 504 : 502,
      code: 'region_unreachable',
      title: 'The active region does not answer',
      detail:
        kind === 'refused'
          ? `The router of ${region} refuses connections.`
          : `${region} did not answer. It is unknown whether the request was carried out. Sending it again is safe.`,
      retryAfterSeconds: 1,
      members: { region, ...activeRegionMembers(this.#target, this.#options.routers[this.#target]) },
    });
  }

  /**
   * Logs once that a region is gone and once that it is back. A refused connection is logged at once, other failures
   * only after several in a row.
   */
  #logReachability(region: Region, attempt: OpenTunnel | Attempt): void {
    const { logger } = this.#options;
    if (attempt.kind === 'answered' || attempt.kind === 'open') {
      const failures = this.#failures[region];
      this.#failures[region] = 0;
      if (failures >= FAILURES_BEFORE_LOG) logger.info({ region, announce: `${region} answers the edge again` });
    } else if (this.#failures[region] < FAILURES_BEFORE_LOG) {
      this.#failures[region] += attempt.kind === 'refused' ? FAILURES_BEFORE_LOG : 1;
      const { reason } = attempt;
      if (this.#failures[region] < FAILURES_BEFORE_LOG) return;
      logger.warn({ region, reason, announce: `${region} does not answer the edge (${reason})` });
    }
  }

  async #console({ path, ...request }: RequestContext): Promise<Reply> {
    if (path === '/console' || path === '/console/') {
      return {
        status: 200,
        headers: {
          'content-type': 'text/html; charset=utf-8',
          'cache-control': 'no-store',
          'content-security-policy':
            "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'",
          'x-content-type-options': 'nosniff',
        },
        body: CONSOLE_PAGE,
      };
    }
    if (path !== '/console/status.json') return notFound(path);
    const statuses = REGIONS.map(
      async (region) => [region, await this.#statusOf(region, { ...request, path })] as const,
    );
    return jsonReply(200, { target: this.#target, regions: Object.fromEntries(await Promise.all(statuses)) });
  }

  async #statusOf(region: Region, request: RequestContext): Promise<unknown> {
    // No header of the visitor is forwarded: the page shows public information only.
    const statusRequest: RequestContext = {
      ...request,
      method: 'GET',
      target: '/v1/status',
      headers: {},
      rawHeaders: [],
    };
    const attempt = await this.#upstreams[region].forward({ ...statusRequest, body: undefined }, STATUS_TIMEOUT_MS);
    if (attempt.kind !== 'answered') return { reachable: false, because: attempt.reason };
    try {
      return { reachable: true, status: attempt.status, said: JSON.parse(attempt.body.toString('utf8')) as unknown };
    } catch {
      return { reachable: false, because: 'the answer is not JSON' };
    }
  }
}
