import { PRIMARY_REGION, REGIONS, type Region } from '@evergrant/core/regions';
import { Liveness, type LivenessChange, type LivenessState } from './liveness';
import { jsonReply, notFound, proxyMethodNotAllowed } from './problems';
import type { Reply, RequestContext } from './request-context';
import type { WitnessTimeouts } from './timeouts';

/** Consecutive failures before the witness reports `down`. */
const FAILURES_BEFORE_DOWN = 3;
/** A result older than this many intervals plus one probe timeout is stale. */
const STALE_AFTER_INTERVALS = 4;

export interface WitnessSnapshot {
  readonly app: { readonly reading: LivenessState; readonly because: string };
  readonly observedAt: string | null;
  readonly ageMs: number | null;
}

export interface WitnessObserverOptions {
  /** The router of the observed region, reached from outside both regions. */
  readonly routerUrl: string;
  readonly timeouts: WitnessTimeouts;
  readonly onChange?: (change: LivenessChange) => void;
}

/** Observes one region's application from outside both regions. It decides nothing. */
export class WitnessObserver {
  readonly #liveness: Liveness;
  readonly #staleAfterMs: number;

  constructor({ routerUrl, timeouts, onChange }: WitnessObserverOptions) {
    this.#staleAfterMs = STALE_AFTER_INTERVALS * timeouts.probeEveryMs + timeouts.probeTimeoutMs;
    this.#liveness = new Liveness({
      url: `${routerUrl}/livez`,
      everyMs: timeouts.probeEveryMs,
      timeoutMs: timeouts.probeTimeoutMs,
      failuresBeforeDown: FAILURES_BEFORE_DOWN,
      // Between regions, the network can refuse a connection that the region would accept, so a refusal is one failure.
      downOnRefusal: false,
      ...(onChange ? { onChange } : {}),
    });
  }

  start(): void {
    this.#liveness.start();
  }

  stop(): void {
    this.#liveness.stop();
  }

  view(): WitnessSnapshot {
    const { state, reason, observedAt } = this.#liveness;
    const ageMs = this.#liveness.ageMs();
    if (observedAt === undefined || ageMs === undefined) {
      return { app: { reading: 'unknown', because: reason }, observedAt: null, ageMs: null };
    }
    // After this process was suspended, the last result can be arbitrarily old.
    const isStale = ageMs > this.#staleAfterMs;
    return {
      app: isStale ? { reading: 'unknown', because: 'the last probe is too old' } : { reading: state, because: reason },
      observedAt: observedAt.toISOString(),
      ageMs: Math.round(ageMs),
    };
  }
}

/** Serves the observers: `GET /view/REGION`. `GET /view` is Oregon's, as in earlier releases. */
export function witnessResponder(
  observers: Readonly<Record<Region, Pick<WitnessObserver, 'view'>>>,
): (context: RequestContext) => Reply {
  return ({ path, method }) => {
    if (path === '/livez') return jsonReply(200, { status: 'alive' });
    const region = path === '/view' ? PRIMARY_REGION : REGIONS.find((candidate) => path === `/view/${candidate}`);
    if (region === undefined) return notFound(path);
    return method === 'GET' || method === 'HEAD'
      ? jsonReply(200, observers[region].view())
      : proxyMethodNotAllowed('GET');
  };
}
