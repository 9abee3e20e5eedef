import { Liveness, type LivenessState } from './liveness';
import { Upstream } from './upstream';
import type { UpstreamTls } from './upstream-tls';

export interface TargetDefinition {
  readonly name: string;
  readonly url: string;
}

export interface Target {
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
  readonly onChange: (target: TargetDefinition, now: LivenessState, before: LivenessState, because: string) => void;
}

/** Failures in a row before a server that accepts connections but does not answer counts as down. */
const PROBE_FAILURES_BEFORE_DOWN = 2;

/** A server in doubt is tried after those that are up, and one that is said to be down only as a last resort. */
const RANK: Record<LivenessState, number> = { up: 0, unknown: 1, down: 2 };

/** The servers of a region: who lives, and whose turn it is. */
export class Balancer {
  readonly targets: readonly Target[];
  #turn = 0;

  constructor(options: BalancerOptions) {
    this.targets = options.targets.map((definition) => ({
      name: definition.name,
      upstream: new Upstream({
        url: definition.url,
        proxyName: options.proxyName,
        connectTimeoutMs: options.connectTimeoutMs,
        tls: options.tls,
      }),
      liveness: new Liveness({
        url: `${definition.url}/livez`,
        everyMs: options.probeEveryMs,
        timeoutMs: options.probeTimeoutMs,
        tls: options.tls,
        failuresBeforeDown: PROBE_FAILURES_BEFORE_DOWN,
        downOnRefusal: true,
        onChange: (now, before, because) => options.onChange(definition, now, before, because),
      }),
    }));
  }

  start(): void {
    for (const { liveness } of this.targets) liveness.start();
  }

  async close(): Promise<void> {
    for (const { liveness } of this.targets) liveness.stop();
    await Promise.all(this.targets.map(({ upstream }) => upstream.close()));
  }

  /** The best server not yet tried: life first, then the least load (outstanding requests, by default), then by turns. */
  pick(
    tried: ReadonlySet<Target>,
    loadOf: (target: Target) => number = ({ upstream }) => upstream.outstanding,
  ): Target | undefined {
    const { targets } = this;
    this.#turn = (this.#turn + 1) % targets.length;
    let best: Target | undefined;
    let bestRank = Number.POSITIVE_INFINITY;
    for (let step = 0; step < targets.length; step += 1) {
      const target = targets[(this.#turn + step) % targets.length] as Target;
      const rank = RANK[target.liveness.reading];
      if (rank > bestRank || tried.has(target)) continue;
      if (best && rank === bestRank && loadOf(target) >= loadOf(best)) continue;
      best = target;
      bestRank = rank;
    }
    return best;
  }
}
