import { Liveness, type LivenessChange, type LivenessState } from './liveness';
import { Upstream } from './upstream';
import type { UpstreamTls } from './upstream-tls';

export interface TargetDefinition {
  readonly name: string;
  readonly url: string;
}

export interface BalancerTarget {
  readonly name: string;
  readonly upstream: Upstream;
  readonly liveness: Liveness;
}

export interface BalancerOptions {
  readonly targets: readonly TargetDefinition[];
  readonly proxyName: string;
  readonly probeEveryMs: number;
  readonly probeTimeoutMs: number;
  readonly connectTimeoutMs: number;
  readonly tls?: UpstreamTls | undefined;
  readonly onChange: (target: TargetDefinition, change: LivenessChange) => void;
}

/** Consecutive failures after which a server that accepts connections but does not answer is down. */
const PROBE_FAILURES_BEFORE_DOWN = 2;

/** Servers are tried in this order: those that are down come last. */
const RANK: Record<LivenessState, number> = { up: 0, unknown: 1, down: 2 };

/** Probes the servers of a region and selects the one for the next request. */
export class Balancer {
  readonly targets: readonly BalancerTarget[];
  #turn = 0;

  constructor(options: BalancerOptions) {
    this.targets = options.targets.map((definition) => this.#createTarget(definition, options));
  }

  #createTarget(definition: TargetDefinition, options: BalancerOptions): BalancerTarget {
    const { proxyName, connectTimeoutMs, tls } = options;
    const upstream = new Upstream({ url: definition.url, proxyName, connectTimeoutMs, tls });
    const liveness = new Liveness({
      url: `${definition.url}/livez`,
      everyMs: options.probeEveryMs,
      timeoutMs: options.probeTimeoutMs,
      tls,
      failuresBeforeDown: PROBE_FAILURES_BEFORE_DOWN,
      downOnRefusal: true,
      onChange: (change) => {
        // Requests that wait for a hung server move to another one, if there is another one.
        const hasAlternative = this.targets.some((target) => target.liveness.state !== 'down');
        if (change.now === 'down' && hasAlternative)
          upstream.abandonOutstanding(`the server is down: ${change.reason}`);
        options.onChange(definition, change);
      },
    });
    return { name: definition.name, upstream, liveness };
  }

  start(): void {
    for (const { liveness } of this.targets) liveness.start();
  }

  async close(): Promise<void> {
    for (const { liveness } of this.targets) liveness.stop();
    await Promise.all(this.targets.map(({ upstream }) => upstream.close()));
  }

  /** The best server not yet tried: by liveness, then by load (outstanding requests by default), then in turn. */
  pick(
    tried: ReadonlySet<BalancerTarget>,
    loadOf: (target: BalancerTarget) => number = ({ upstream }) => upstream.outstanding,
  ): BalancerTarget | undefined {
    const { targets } = this;
    this.#turn = (this.#turn + 1) % targets.length;
    let best: BalancerTarget | undefined;
    let bestRank = Number.POSITIVE_INFINITY;
    for (let step = 0; step < targets.length; step += 1) {
      const target = targets[(this.#turn + step) % targets.length] as BalancerTarget;
      const rank = RANK[target.liveness.state];
      if (rank > bestRank || tried.has(target)) continue;
      if (best && rank === bestRank && loadOf(target) >= loadOf(best)) continue;
      best = target;
      bestRank = rank;
    }
    return best;
  }
}
