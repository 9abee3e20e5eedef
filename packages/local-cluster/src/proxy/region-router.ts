import { otherRegion, type Region } from '@evergrant/core/regions';
import type { Logger } from 'pino';
import { type Acl, AclFile, parseAcl } from './acl';
import { adminGuard, jsonBody } from './admin';
import { Balancer, type Target, type TargetDefinition } from './balancer';
import type { LivenessState } from './liveness';
import { activeRegionMembers, invalid, json, type Members, methodNotAllowed, notFound, problem } from './problems';
import { type Reply, type RequestContext, returnedHeaders, type UpgradeOutcome } from './request-context';
import type { RouterTimeouts } from './timeouts';
import { type OpenTunnel, openTunnel, Tunnels } from './tunnel';
import type { Attempt } from './upstream';
import type { UpstreamTls } from './upstream-tls';

export interface RegionRouterOptions {
  readonly region: Region;
  readonly targets: readonly TargetDefinition[];
  readonly aclFile: string;
  /** In force until an ACL is set for the first time. */
  readonly aclDefault: Acl['acl'];
  readonly regionAddresses: Readonly<Record<Region, string>>;
  readonly adminToken: string;
  readonly timeouts: RouterTimeouts;
  /** How the servers are spoken to. @default without TLS: they are on this machine */
  readonly tls?: UpstreamTls | undefined;
  readonly logger: Logger;
}

type Answered = Extract<Attempt, { kind: 'answered' }>;

/** What probes and people may see of a fenced region. */
const OPEN_THROUGH_THE_FENCE = new Set(['/livez', '/readyz', '/v1/status']);

/**
 * A region's router, the stand-in for its load balancer with its web ACL: sends each request to one living server of
 * the region, or, when the region is fenced, tells where to go instead.
 *
 * It routes by life alone (`/livez`, which touches no database), as a load balancer does: which server grants is the
 * servers' own knowledge. There is one courtesy: when a server cannot grant at this moment though no other region is
 * the active one (it is starting, draining, waiting for its proof or for a connection to the database), one other server
 * is asked before that answer is passed on.
 */
export class RegionRouter {
  readonly #options: RegionRouterOptions;
  readonly #proxyName: string;
  readonly #balancer: Balancer;
  readonly #aclFile: AclFile;
  readonly #refusal: (request: RequestContext) => Reply | undefined;
  readonly #tunnels = new Tunnels<string>();
  #acl: Acl;

  constructor(options: RegionRouterOptions) {
    this.#options = options;
    this.#proxyName = `${options.region}-router`;
    this.#aclFile = new AclFile(options.aclFile, options.regionAddresses);
    this.#refusal = adminGuard(options.adminToken);
    this.#acl = this.#initialAcl();
    this.#balancer = new Balancer({
      targets: options.targets,
      proxyName: this.#proxyName,
      probeEveryMs: options.timeouts.probeEveryMs,
      probeTimeoutMs: options.timeouts.probeTimeoutMs,
      connectTimeoutMs: options.timeouts.connectTimeoutMs,
      tls: options.tls,
      onChange: (target, now, before, because) => this.#tell(target.name, now, before, because),
    });
  }

  start(): void {
    this.#balancer.start();
  }

  close(): Promise<void> {
    return this.#balancer.close();
  }

  readonly respond = (request: RequestContext): Promise<Reply> | Reply => {
    const { path, method } = request;
    if (path.startsWith('/_')) return this.#administer(request);
    const looking = OPEN_THROUGH_THE_FENCE.has(path) && (method === 'GET' || method === 'HEAD');
    if (this.#acl.acl === 'fence' && !looking) return this.#fenced();
    return path === '/livez' && looking ? this.#anyoneAlive(request) : this.#forward(request);
  };

  /** A WebSocket goes to one living server, and is cut when that server dies or the region is fenced. */
  readonly upgrade = async (request: RequestContext): Promise<UpgradeOutcome> => {
    if (request.path.startsWith('/_')) return { kind: 'refused', reply: notFound(request.path) };
    if (this.#isFenced()) return { kind: 'refused', reply: this.#fenced() };
    const loadOf = ({ name }: Target): number => this.#tunnels.count(name);
    const outcome = await this.#tryEach<OpenTunnel>(loadOf, async (target, timeoutMs) => {
      const { url } = target.upstream;
      const attempt = await openTunnel(request, {
        url,
        proxyName: this.#proxyName,
        timeoutMs,
        tls: this.#options.tls,
      });
      if (attempt.kind === 'open') this.#tunnels.add(target.name, attempt);
      return attempt;
    });
    if (outcome.kind !== 'open') return { kind: 'refused', reply: this.#replyOf(outcome) };
    // Fenced while the server agreed: what is cut above was not yet open then.
    if (this.#isFenced()) this.#tunnels.cutAll();
    return outcome;
  };

  #initialAcl(): Acl {
    const { logger, region, aclDefault, aclFile, regionAddresses } = this.#options;
    const reading = this.#aclFile.read();
    switch (reading.kind) {
      case 'read':
        return reading.acl;
      case 'missing': {
        // A router that begins fenced is the standby's: until it is told otherwise, licenses are granted next door.
        const activeRegion = aclDefault === 'serve' ? region : otherRegion(region);
        return { acl: aclDefault, activeRegion, activeAddress: regionAddresses[activeRegion] };
      }
      case 'unreadable':
        // Missing evidence denies: a router that does not know whether it is fenced stays fenced.
        logger.error({ announce: `${region} stays fenced: ${aclFile} cannot be read`, because: reading.because });
        return { acl: 'fence', activeRegion: null, activeAddress: null };
    }
  }

  #administer(request: RequestContext): Reply {
    const { path, method } = request;
    if (path !== '/_router/acl' && path !== '/_router/targets') return notFound(path);
    const refused = this.#refusal(request);
    if (refused) return refused;
    if (path === '/_router/targets') return method === 'GET' ? json(200, this.#targets()) : methodNotAllowed('GET');
    if (method === 'GET') return json(200, this.#acl);
    return method === 'PUT' ? this.#setAcl(request) : methodNotAllowed('GET, PUT');
  }

  #setAcl(request: RequestContext): Reply {
    const body = jsonBody(request);
    if (!body) return invalid('', 'The body is not a JSON object.');
    const parsing = parseAcl(body, this.#options.regionAddresses);
    if (parsing.kind === 'invalid') return invalid(parsing.field, parsing.because);
    const before = this.#acl;
    this.#aclFile.write(parsing.acl);
    this.#acl = parsing.acl;
    if (parsing.acl.acl === 'fence') this.#cut(this.#tunnels.cutAll(), 'the region is fenced');
    if (before.acl !== this.#acl.acl || before.activeRegion !== this.#acl.activeRegion) this.#tellAcl();
    return json(200, this.#acl);
  }

  #targets(): readonly object[] {
    return this.#balancer.targets.map(({ name, upstream, liveness }) => ({
      name,
      url: upstream.url,
      reading: liveness.reading,
      because: liveness.because,
      outstanding: upstream.outstanding,
      sessions: this.#tunnels.count(name),
    }));
  }

  #fenced(): Reply {
    const { activeRegion } = this.#acl;
    const elsewhere = activeRegion === this.#options.region ? null : activeRegion;
    return problem({
      status: 503,
      code: 'not_granting',
      title: 'This region does not grant licenses',
      detail: elsewhere ? `The region is fenced. Go to ${elsewhere}.` : 'The region is fenced.',
      retryAfterSeconds: 1,
      members: { reason: 'fenced', region: this.#options.region, ...this.#activeRegionMembers() },
    });
  }

  /**
   * The application is down only when no server answers. So this asks all of them at once, whatever was thought of them
   * a moment ago: a server that hangs delays nobody, and a stale "down" hides nobody.
   */
  async #anyoneAlive(request: RequestContext): Promise<Reply> {
    const { livezTimeoutMs } = this.#options.timeouts;
    const asked = this.#balancer.targets.map(async ({ upstream }) => {
      const attempt = await upstream.forward(request, livezTimeoutMs);
      if (attempt.kind === 'answered' && attempt.status < 300) return attempt;
      throw new Error('not alive');
    });
    try {
      return this.#returned(await Promise.any(asked));
    } catch {
      return this.#nobody();
    }
  }

  async #forward(request: RequestContext): Promise<Reply> {
    const outcome = await this.#tryEach<never>(
      ({ upstream }) => upstream.outstanding,
      ({ upstream }, timeoutMs) => upstream.forward(request, timeoutMs),
    );
    return this.#replyOf(outcome);
  }

  #replyOf(outcome: Answered | { readonly kind: 'late' | 'nobody' }): Reply {
    if (outcome.kind === 'answered') return this.#returned(outcome);
    return outcome.kind === 'late' ? this.#late() : this.#nobody();
  }

  /** One server after the other, the best first, until one does what is asked. */
  async #tryEach<Success extends OpenTunnel>(
    loadOf: (target: Target) => number,
    attempt: (target: Target, timeoutMs: number) => Promise<Success | Attempt>,
  ): Promise<Success | Answered | { readonly kind: 'late' | 'nobody' }> {
    const { attemptTimeoutMs, totalTimeoutMs } = this.#options.timeouts;
    const deadlineMs = performance.now() + totalTimeoutMs;
    const tried = new Set<Target>();
    let refusal: Answered | undefined;
    let timedOut = false;
    for (let target = this.#balancer.pick(tried, loadOf); target; target = this.#balancer.pick(tried, loadOf)) {
      const leftMs = deadlineMs - performance.now();
      // When probes come late because everything is slow, "down" is not the last word: one such server is still asked.
      const lastResort = target.liveness.reading === 'down';
      if (leftMs <= 0 || (lastResort && (timedOut || refusal))) break;
      tried.add(target);
      const result = await attempt(target, Math.min(attemptTimeoutMs, leftMs));
      if (result.kind === 'open') return result;
      this.#learn(target, result);
      timedOut ||= result.kind === 'timed_out';
      if (result.kind !== 'answered') continue;
      if (refusal || !this.#mayGrantElsewhere(result)) return result;
      refusal = result;
    }
    return refusal ?? { kind: timedOut ? 'late' : 'nobody' };
  }

  #learn(target: Target, attempt: Attempt): void {
    if (attempt.kind === 'refused') target.liveness.refused(attempt.because);
    else if (attempt.kind !== 'answered') target.liveness.doubt(attempt.because);
  }

  /** A refusal for which no other region is the reason is a matter of that server's moment: another one may grant. */
  #mayGrantElsewhere({ status, body }: Answered): boolean {
    if (status !== 503) return false;
    try {
      const document = JSON.parse(body.toString('utf8')) as { code?: unknown; activeRegion?: unknown } | null;
      if (document?.code === 'database_unreachable') return true;
      const activeRegion = document?.activeRegion ?? this.#options.region;
      return document?.code === 'not_granting' && activeRegion === this.#options.region;
    } catch {
      return false;
    }
  }

  #returned({ status, headers, body }: Answered): Reply {
    return { status, headers: returnedHeaders(headers, this.#proxyName), body };
  }

  #nobody(): Reply {
    return problem({
      status: 503,
      code: 'no_server_available',
      title: 'No license server answers',
      detail: `None of the ${this.#balancer.targets.length} license servers in ${this.#options.region} answers.`,
      retryAfterSeconds: 1,
      members: { region: this.#options.region, ...this.#activeRegionMembers() },
    });
  }

  #late(): Reply {
    return problem({
      status: 504,
      code: 'server_timeout',
      title: 'The license servers did not answer in time',
      detail: 'Whether the request was carried out is not known. Sending it again is safe.',
      retryAfterSeconds: 1,
      members: { region: this.#options.region, ...this.#activeRegionMembers() },
    });
  }

  /** Where licenses are granted now, as far as the router was told. */
  #activeRegionMembers(): Members {
    return activeRegionMembers(this.#acl.activeRegion, this.#acl.activeAddress);
  }

  #tell(name: string, now: LivenessState, before: LivenessState, because: string): void {
    const { logger } = this.#options;
    // A server that hangs keeps its sockets open: whoever holds a session with it should know now.
    if (now === 'down') this.#cut(this.#tunnels.cut(name), `${name} is down`);
    if (now === 'down') logger.warn({ target: name, because, announce: `${name} does not answer (${because})` });
    else if (now === 'up' && before === 'down') logger.info({ target: name, announce: `${name} answers again` });
    else logger.info({ target: name, now, because }, 'target changed');
  }

  #cut(count: number, because: string): void {
    if (count > 0) this.#options.logger.warn({ sessions: count, because }, 'sessions were cut');
  }

  #isFenced(): boolean {
    return this.#acl.acl === 'fence';
  }

  #tellAcl(): void {
    const { logger, region } = this.#options;
    const { acl, activeRegion } = this.#acl;
    const announce =
      acl === 'serve' ? `${region} is served` : `${region} is fenced${activeRegion ? `; go to ${activeRegion}` : ''}`;
    logger.warn({ acl, activeRegion, announce });
  }
}
