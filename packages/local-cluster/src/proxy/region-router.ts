import { AclGate, type AclGateOptions } from './acl-gate';
import { adminGuard } from './admin';
import { Balancer, type BalancerTarget, type TargetDefinition } from './balancer';
import type { LivenessState } from './liveness';
import { jsonReply, notFound, problem, proxyMethodNotAllowed } from './problems';
import { type Reply, type RequestContext, returnedHeaders, type UpgradeOutcome } from './request-context';
import type { RouterTimeouts } from './timeouts';
import { type OpenTunnel, openTunnel, Tunnels } from './tunnel';
import type { Attempt } from './upstream';
import type { UpstreamTls } from './upstream-tls';

export interface RegionRouterOptions extends AclGateOptions {
  readonly targets: readonly TargetDefinition[];
  readonly adminToken: string;
  readonly timeouts: RouterTimeouts;
  /** TLS towards the servers. @default no TLS, for servers on this machine */
  readonly tls?: UpstreamTls | undefined;
}

type Answered = Extract<Attempt, { kind: 'answered' }>;
type Unanswered = { readonly kind: 'timed_out' | 'no_server' };

/** Paths that a fenced region still answers. */
const ALLOWED_WHILE_FENCED = new Set(['/livez', '/readyz', '/v1/status']);

/**
 * The router of a region: a stand-in for its load balancer with a web ACL. It sends each request to one live server of
 * the region. When the region is fenced, it answers with the address of the active region.
 *
 * It selects servers by liveness only (`/livez`, which touches no database), as a load balancer does. One exception:
 * when a server cannot grant for a temporary reason (starting, draining, waiting for authority or a database
 * connection) and no other region is active, the router tries one other server before it returns that answer.
 */
export class RegionRouter {
  readonly #options: RegionRouterOptions;
  readonly #proxyName: string;
  readonly #balancer: Balancer;
  readonly #gate: AclGate;
  readonly #checkAdmin: (request: RequestContext) => Reply | undefined;
  readonly #tunnels = new Tunnels<string>();

  constructor(options: RegionRouterOptions) {
    this.#options = options;
    this.#proxyName = `${options.region}-router`;
    this.#gate = new AclGate(options);
    this.#checkAdmin = adminGuard(options.adminToken);
    this.#balancer = new Balancer({
      targets: options.targets,
      proxyName: this.#proxyName,
      probeEveryMs: options.timeouts.probeEveryMs,
      probeTimeoutMs: options.timeouts.probeTimeoutMs,
      connectTimeoutMs: options.timeouts.connectTimeoutMs,
      tls: options.tls,
      onChange: (target, change) => this.#onLivenessChange(target.name, change),
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
    const isRead = method === 'GET' || method === 'HEAD';
    if (this.#gate.isFenced && !(isRead && ALLOWED_WHILE_FENCED.has(path))) return this.#gate.fencedReply();
    return path === '/livez' && isRead ? this.#anyServerLive(request) : this.#forward(request);
  };

  /** Opens a WebSocket tunnel to one live server. It is cut when that server goes down or the region is fenced. */
  readonly upgrade = async (request: RequestContext): Promise<UpgradeOutcome> => {
    if (request.path.startsWith('/_')) return { kind: 'refused', reply: notFound(request.path) };
    if (this.#gate.isFenced) return { kind: 'refused', reply: this.#gate.fencedReply() };
    const sessionsOf = ({ name }: BalancerTarget): number => this.#tunnels.count(name);
    const outcome = await this.#tryServers<OpenTunnel>(sessionsOf, async (target, timeoutMs) => {
      const { url } = target.upstream;
      const options = { url, proxyName: this.#proxyName, timeoutMs, tls: this.#options.tls };
      const attempt = await openTunnel(request, options);
      if (attempt.kind === 'open') this.#tunnels.add(target.name, attempt);
      return attempt;
    });
    if (outcome.kind !== 'open') return { kind: 'refused', reply: this.#replyOf(outcome) };
    // The region may have been fenced while the server accepted the upgrade.
    if (this.#gate.isFenced) this.#tunnels.cutAll();
    return outcome;
  };

  #administer(request: RequestContext): Reply {
    const { path, method } = request;
    if (path !== '/_router/acl' && path !== '/_router/targets') return notFound(path);
    const refused = this.#checkAdmin(request);
    if (refused) return refused;
    if (path === '/_router/targets')
      return method === 'GET' ? jsonReply(200, this.#targets()) : proxyMethodNotAllowed('GET');
    if (method === 'GET') return jsonReply(200, this.#gate.current);
    if (method !== 'PUT') return proxyMethodNotAllowed('GET, PUT');
    const reply = this.#gate.set(request);
    if (this.#gate.isFenced) this.#logCut(this.#tunnels.cutAll(), 'the region is fenced');
    return reply;
  }

  #targets(): readonly object[] {
    return this.#balancer.targets.map(({ name, upstream, liveness }) => ({
      name,
      url: upstream.url,
      reading: liveness.state,
      because: liveness.reason,
      outstanding: upstream.outstanding,
      sessions: this.#tunnels.count(name),
    }));
  }

  /**
   * The application is down only when no server answers. The request goes to all servers at once, whatever their last
   * probe said, so that neither a hung server nor an outdated probe result hides a live one.
   */
  async #anyServerLive(request: RequestContext): Promise<Reply> {
    const { livezTimeoutMs } = this.#options.timeouts;
    const attempts = this.#balancer.targets.map(async ({ upstream }) => {
      const attempt = await upstream.forward(request, livezTimeoutMs);
      if (attempt.kind === 'answered' && attempt.status < 300) return attempt;
      throw new Error('not live');
    });
    try {
      return this.#returned(await Promise.any(attempts));
    } catch {
      return this.#noServerReply();
    }
  }

  async #forward(request: RequestContext): Promise<Reply> {
    const outcome = await this.#tryServers<never>(
      ({ upstream }) => upstream.outstanding,
      ({ upstream }, timeoutMs) => upstream.forward(request, timeoutMs),
    );
    return this.#replyOf(outcome);
  }

  #replyOf(outcome: Answered | Unanswered): Reply {
    if (outcome.kind === 'answered') return this.#returned(outcome);
    return outcome.kind === 'timed_out' ? this.#timeoutReply() : this.#noServerReply();
  }

  /** Tries the servers in turn, the best first, until one succeeds or the total timeout ends. */
  async #tryServers<Success extends OpenTunnel>(
    loadOf: (target: BalancerTarget) => number,
    attempt: (target: BalancerTarget, timeoutMs: number) => Promise<Success | Attempt>,
  ): Promise<Success | Answered | Unanswered> {
    const { attemptTimeoutMs, totalTimeoutMs } = this.#options.timeouts;
    const deadlineMs = performance.now() + totalTimeoutMs;
    const tried = new Set<BalancerTarget>();
    let refusal: Answered | undefined;
    let hasTimedOut = false;
    for (let target = this.#balancer.pick(tried, loadOf); target; target = this.#balancer.pick(tried, loadOf)) {
      const leftMs = deadlineMs - performance.now();
      // Probes can be late when everything is slow, so one server whose state is "down" is still tried.
      const isLastResort = target.liveness.state === 'down';
      if (leftMs <= 0 || (isLastResort && (hasTimedOut || refusal))) break;
      tried.add(target);
      const result = await attempt(target, Math.min(attemptTimeoutMs, leftMs));
      if (result.kind === 'open') return result;
      this.#recordEvidence(target, result);
      hasTimedOut ||= result.kind === 'timed_out';
      if (result.kind !== 'answered') continue;
      if (refusal || !this.#isTemporaryRefusal(result)) return result;
      refusal = result;
    }
    return refusal ?? { kind: hasTimedOut ? 'timed_out' : 'no_server' };
  }

  #recordEvidence(target: BalancerTarget, attempt: Attempt): void {
    if (attempt.kind === 'refused') target.liveness.recordRefusal(attempt.reason);
    else if (attempt.kind !== 'answered') target.liveness.recordNoAnswer(attempt.reason);
  }

  /** A refusal that no other region explains concerns that server only, so another server may grant. */
  #isTemporaryRefusal({ status, body }: Answered): boolean {
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

  #noServerReply(): Reply {
    const { region } = this.#options;
    return problem({
      status: 503,
      code: 'no_server_available',
      title: 'No license server answers',
      detail: `None of the ${this.#balancer.targets.length} license servers in ${region} answers.`,
      retryAfterSeconds: 1,
      members: { region, ...this.#gate.activeRegionMembers },
    });
  }

  #timeoutReply(): Reply {
    const { region } = this.#options;
    return problem({
      status: 504,
      code: 'server_timeout',
      title: 'The license servers did not answer in time',
      detail: 'It is unknown whether the request was carried out. Sending it again is safe.',
      retryAfterSeconds: 1,
      members: { region, ...this.#gate.activeRegionMembers },
    });
  }

  #onLivenessChange(
    name: string,
    { now, before, reason }: { now: LivenessState; before: LivenessState; reason: string },
  ): void {
    const { logger } = this.#options;
    // A hung server keeps its sockets open, so its sessions are cut here.
    if (now === 'down') this.#logCut(this.#tunnels.cut(name), `${name} is down`);
    if (now === 'down') logger.warn({ target: name, reason, announce: `${name} does not answer (${reason})` });
    else if (now === 'up' && before === 'down') logger.info({ target: name, announce: `${name} answers again` });
    else logger.info({ target: name, now, reason }, 'target changed');
  }

  #logCut(sessions: number, reason: string): void {
    if (sessions > 0) this.#options.logger.warn({ sessions, reason }, 'sessions were cut');
  }
}
